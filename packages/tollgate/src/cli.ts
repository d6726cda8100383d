#!/usr/bin/env node
/** The command line: `npx tollgate`. */
import { TollgateError } from '@tollgate/core';
import { Command } from 'commander';
import { checkCommand } from './commands/check.js';
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
      process.stdout.write(await command(...args));
    } catch (error) {
      if (!(error instanceof TollgateError || error instanceof UsageError)) throw error;
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 1;
    }
  };
}

void program.parseAsync();
