import { Command } from 'commander';
import { explainCommand } from './explain/command.ts';
import { simulateCommand } from './simulate/command.ts';
import type { Screen } from './terminal.ts';

/** The command line. It throws commander's errors and `CommandError`, and ends no process. */
export function awp(screen: Screen): Command {
  const program = new Command('awp')
    .description('Asks about AgentWorkerPools: what a rule would do with a trace, and why a pool has its size.')
    .configureOutput({ writeOut: screen.out, writeErr: (text) => void screen.terminal.write(text) })
    .showHelpAfterError('(awp --help, awp COMMAND --help)')
    .exitOverride();
  program.addCommand(simulateCommand(screen).copyInheritedSettings(program));
  program.addCommand(explainCommand(screen).copyInheritedSettings(program));
  return program;
}
