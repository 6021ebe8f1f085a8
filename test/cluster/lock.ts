import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Progress } from './progress.ts';

const QUIET_MS = 1_000;

/**
 * Runs `work` while no other process on this machine holds the same lock file.
 * The lock is the kernel's (flock), held by a child that reads from a pipe of ours: however this process ends,
 * the pipe closes and the lock is free again, so that no lock can be stale.
 */
export const withLock = async <T>(file: string, progress: Progress, work: () => Promise<T>): Promise<T> => {
  mkdirSync(dirname(file), { recursive: true });
  const holder = spawn('flock', ['--exclusive', file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true, // Ctrl-C on the terminal must not free the lock while this process still cleans up
  });
  const waiting = setTimeout(() => progress('waiting for another run that is at work on the same thing'), QUIET_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      createInterface(holder.stdout).once('line', () => resolve());
      holder.once('error', (cause) => reject(new Error('flock (util-linux) is needed and was not found', { cause })));
      holder.once('exit', (code) =>
        reject(new Error(`the lock ${file} could not be taken (flock ended with ${code})`)),
      );
    });
    clearTimeout(waiting);
    return await work();
  } finally {
    clearTimeout(waiting);
    holder.stdin.end();
  }
};
