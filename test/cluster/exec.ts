import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** A command that could not be started or ended with another code than 0. The message ends with what it said last. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export type RunOptions = Readonly<{ cwd?: string; env?: NodeJS.ProcessEnv; input?: string; timeoutMs?: number }>;

const LAST_LINES = 12;

const tail = (text: string): string => text.trim().split('\n').slice(-LAST_LINES).join('\n');

/** Runs a command to its end and returns its standard output. Throws CommandError. */
export const run = (command: string, args: readonly string[], options: RunOptions = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      {
        cwd: options.cwd,
        env: options.env ?? process.env,
        timeout: options.timeoutMs ?? 0,
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const said = tail(stderr) || tail(stdout) || error.message;
        reject(new CommandError(`${command} ${args[0] ?? ''} failed: ${said}`, { cause: error }));
      },
    );
    child.stdin?.on('error', () => {}); // a command that ends without reading its input is judged by its exit code
    child.stdin?.end(options.input ?? '');
  });

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
};

/** The absolute path of a program on PATH, or undefined. */
export const onPath = (program: string): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, program))
    .find(isProgram);
