#!/usr/bin/env node
/** The command line: `npx tollgate`. */
import { TollgateError } from '@tollgate/core';
import { Command } from 'commander';
import { checkCommand } from './commands/check.js';
import { createKeyCommand, listKeysCommand, revokeKeyCommand, rotateKeyCommand } from './commands/keys.js';
import { explainCommand, inspectCommand } from './commands/looking.js';
import { replayCommand } from './commands/replay.js';
import { UsageError } from './config-file.js';

const CONFIG = 'a module whose default export is what createTollgate is given';

const program = new Command('tollgate')
  .description('Looks at the configuration of a Tollgate gate, and tries it on recorded traffic.')
  .showHelpAfterError();

program
  .command('check')
  .description('says what in a configuration is wrong, or will surprise')
  .argument('<config>', CONFIG)
  .option('--json', 'print JSON')
  .action(printing(checkCommand));

whom(program.command('inspect').description('shows how limits and budgets stand for somebody'))
  .option('--feature <name>')
  .option('--route <route>')
  .option('--model <name>')
  .action(printing(inspectCommand));

whom(program.command('explain').description('says what would become of a request, and why; charges nothing'))
  .option('--tier <name>')
  .option('--permits <number>')
  .option('--feature <name>')
  .option('--route <route>')
  .option('--model <name>')
  .option('--priority <priority>', 'interactive, standard, batch or background')
  .action(printing(explainCommand));

program
  .command('replay')
  .description('runs recorded traffic through a configuration, on a clock of its own')
  .argument('<config>', CONFIG)
  .argument('<log>', 'lines that recordTraffic has written or, with --map, an access log')
  .option('--map <module>', 'whose default export makes a request of an entry of an access log, or undefined')
  .option('--json', 'print JSON')
  .action(printing(replayCommand));

const RING = "a module whose default export, or 'keys', is what keyRing is given, with a store on Redis";
const keys = program.command('keys').description('makes, rotates, revokes and lists API keys');

keys
  .command('create')
  .description('makes a key, and shows it once')
  .argument('<ring>', RING)
  .requiredOption('--service <name>', 'what is to use it')
  .option('--environment <name>')
  .option('--user <id>')
  .option('--tenant <id>')
  .option('--plan <name>')
  .option('--routes <route...>', "such as 'POST /chat'")
  .option('--features <name...>')
  .option('--models <name...>')
  .option('--limit <name=value...>', 'limits of its own, such as spend=$5')
  .option('--expires-in <duration>', 'such as 30d')
  .option('--json', 'print JSON')
  .action(printing(createKeyCommand));

keys
  .command('rotate')
  .description('makes a key that takes the place of another, and shows it once; both are taken for a while')
  .argument('<ring>', RING)
  .argument('<id>', 'of the key to be replaced')
  .option('--overlap <duration>', 'how long the old one is still taken; a day unless given, 0 for not at all')
  .option('--expires-in <duration>', 'such as 30d')
  .option('--json', 'print JSON')
  .action(printing(rotateKeyCommand));

keys
  .command('revoke')
  .description('makes a key worthless, everywhere and for good')
  .argument('<ring>', RING)
  .argument('<id>')
  .option('--json', 'print JSON')
  .action(printing(revokeKeyCommand));

keys
  .command('list')
  .description('shows all keys, and when they were used')
  .argument('<ring>', RING)
  .option('--json', 'print JSON')
  .action(printing(listKeysCommand));

function whom(command: Command): Command {
  return command
    .argument('<config>', CONFIG)
    .option('--user <id>')
    .option('--tenant <id>')
    .option('--key <id>')
    .option('--plan <name>')
    .option('--ip <address>')
    .option('--json', 'print JSON');
}

/** Prints what a command returns. What somebody has got wrong is told without a stack. */
function printing<A extends unknown[]>(command: (...args: A) => Promise<string>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      await write(await command(...args));
      // What a configuration has opened, such as a connection to Redis, would hold the process.
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
