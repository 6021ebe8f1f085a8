import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { onPath } from '../exec.ts';
import { clusterSource } from '../paths.ts';
import type { Progress } from '../progress.ts';
import type { Make } from './catalog.ts';

const REPORT_MS = 30_000;

/**
 * Builds static programs from the pinned modules into `folder`. What was compiled before an interruption is in Go's
 * own cache, so that a second run goes on where the first one ended.
 */
export const buildGo = async (make: Extract<Make, { by: 'go' }>, folder: string, progress: Progress): Promise<void> => {
  if (!onPath('go')) throw new Error('Go 1.26 or newer is not on PATH (any newer release fetches the right one)');
  const args = ['build', '-v', '-trimpath', '-buildvcs=false', '-ldflags', make.ldflags, '-o', `${folder}/`];
  const child = spawn('go', [...args, ...make.packages], {
    cwd: clusterSource(make.module),
    env: { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const last: string[] = [];
  let compiled = 0;
  createInterface(child.stderr).on('line', (line) => {
    compiled += 1;
    last.push(line);
    if (last.length > 15) last.shift();
  });
  const report = setInterval(() => progress(`  ${compiled} packages fetched or compiled`), REPORT_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) =>
        code === 0 ? resolve() : reject(new Error(`go build ended with ${code}: ${last.join('\n')}`)),
      );
    });
  } finally {
    clearInterval(report);
  }
};
