#!/usr/bin/env node
/** The command line: `npx tollgate`. */
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { TollgateError } from '@tollgate/core';
import { Command } from 'commander';
import { checkCommand } from './commands/check.js';
import { createKeyCommand, listKeysCommand, revokeKeyCommand, rotateKeyCommand } from './commands/keys.js';
import { explainCommand, inspectCommand } from './commands/looking.js';
import { replayCommand } from './commands/replay.js';
import { UsageError } from './config-file.js';

const CONFIG = 'module whose default export is the configuration: what createTollgate is given';
const RING = "module whose default export, or 'keys', is what keyRing is given, with a store on Redis";
const JSON_OPTION = ['--json', 'print JSON'] as const;
const EXPIRES_IN = ['--expires-in <duration>', 'such as 30d; what the ring says unless given'] as const;

// As it was started, perhaps by a link: from there the package finds itself.
const { version } = createRequire(realpathSync(process.argv[1]))('tollgate/package.json') as { version: string };

const program = new Command('tollgate')
  .description('Checks the configuration of a Tollgate gate, explains its decisions, and tries it on recorded traffic.')
  .version(version)
  .showHelpAfterError();

program
  .command('check')
  .description('report errors and surprises in a configuration')
  .argument('<config>', CONFIG)
  .option(...JSON_OPTION)
  .action(printing(checkCommand));

request(program.command('inspect').description('show how limits and budgets stand for a subject'))
  .option(...JSON_OPTION)
  .action(printing(inspectCommand));

request(program.command('explain').description('say how a request would be decided, and why; nothing is charged'))
  .option('--tier <name>', 'cost class of the request; this or --permits, where permits count')
  .option('--permits <number>', 'what it costs, in permits')
  .option('--priority <priority>', 'interactive, standard, batch or background')
  .option(...JSON_OPTION)
  .action(printing(explainCommand));

program
  .command('replay')
  .description('run recorded traffic through a configuration, on a clock of its own')
  .argument('<config>', CONFIG)
  .argument('<log>', 'what recordTraffic wrote or, with --map, an access log')
  .option('--map <module>', 'module whose default export turns an entry of an access log into a request')
  .option(...JSON_OPTION)
  .action(printing(replayCommand));

const keys = program.command('keys').description('create, rotate, revoke and list API keys');

keys
  .command('create')
  .description('create a key, and show it once')
  .argument('<ring>', RING)
  .requiredOption('--service <name>', 'service that will use it')
  .option('--environment <name>', "environment it is for; 'production' unless given")
  .option('--user <id>', 'user it acts for')
  .option('--tenant <id>', 'tenant it acts for')
  .option('--plan <name>', 'plan whose limits hold for it')
  .option('--routes <route...>', "routes it may call, such as 'POST /chat'; all unless given")
  .option('--features <name...>', 'features it may use; all unless given')
  .option('--models <name...>', 'models it may ask for; all unless given')
  .option('--limit <name=value...>', 'limits of its own, such as spend=$5')
  .option(...EXPIRES_IN)
  .option(...JSON_OPTION)
  .action(printing(createKeyCommand));

keys
  .command('rotate')
  .description('create a successor of a key, and show it once; both are accepted during the overlap')
  .argument('<ring>', RING)
  .argument('<id>', 'id of the key to be replaced')
  .option('--overlap <duration>', 'how long the old key is still accepted; 1d unless given, 0 for not at all')
  .option(...EXPIRES_IN)
  .option(...JSON_OPTION)
  .action(printing(rotateKeyCommand));

keys
  .command('revoke')
  .description('revoke a key, everywhere and for good')
  .argument('<ring>', RING)
  .argument('<id>', 'id of the key')
  .option(...JSON_OPTION)
  .action(printing(revokeKeyCommand));

keys
  .command('list')
  .description('list all keys, and when each was last used')
  .argument('<ring>', RING)
  .option(...JSON_OPTION)
  .action(printing(listKeysCommand));

/** A command about a request: whose it is, and what it is for. */
function request(command: Command): Command {
  return command
    .argument('<config>', CONFIG)
    .option('--user <id>', 'user who asks')
    .option('--tenant <id>', 'tenant of the user')
    .option('--key <id>', 'API key that is shown')
    .option('--plan <name>', 'plan, where limits go by it')
    .option('--ip <address>', 'address of the client')
    .option('--feature <name>', 'feature that is used')
    .option('--route <route>', "route, such as 'POST /chat'")
    .option('--model <name>', 'model that is asked for');
}

/** Prints what a command returns. A mistake of the user's is reported without a stack. */
function printing<A extends unknown[]>(command: (...args: A) => Promise<string>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      await write(await command(...args));
      // What a configuration has opened, such as a connection to Redis, would keep the process alive.
      process.exit();
    } catch (error) {
      if (!(error instanceof TollgateError || error instanceof UsageError)) throw error;
      process.stderr.write(`${error.message}\n`, () => process.exit(1));
    }
  };
}

function write(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

void program.parseAsync();
