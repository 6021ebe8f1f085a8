#!/usr/bin/env node
// `awp`, also as `kubectl awp`.
import { CommanderError } from 'commander';
import { CommandError } from './command-error.ts';
import { awp } from './awp.ts';

// `awp … | head` has read enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.stderr.write(`awp: the output cannot be written: ${error.message}\n`);
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

try {
  await awp({ out: (text) => void process.stdout.write(text), terminal: process.stderr }).parseAsync();
} catch (error) {
  if (error instanceof CommandError) process.stderr.write(`awp: ${error.message}\n`);
  // Commander has said it already; help and version end with 0.
  else if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error instanceof CommanderError ? error.exitCode : 1;
}
