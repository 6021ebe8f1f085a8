import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withLock } from './lock.ts';
import { clusterSource } from './paths.ts';
import { silent } from './progress.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awp-lock-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a lock', () => {
  it('lets one at a time work', async () => {
    let working = 0;
    let most = 0;
    const work = () =>
      withLock(join(folder, 'one'), silent, async () => {
        working += 1;
        most = Math.max(most, working);
        await sleep(20);
        working -= 1;
      });
    await Promise.all([work(), work(), work()]);
    expect(most).toBe(1);
  });

  it('is free again after an error', async () => {
    const file = join(folder, 'error');
    await expect(withLock(file, silent, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await withLock(file, silent, async () => 'next')).toBe('next');
  });

  it('is free again when its holder is killed', async () => {
    const file = join(folder, 'killed');
    const program = `import { withLock } from ${JSON.stringify(clusterSource('lock.ts'))};
      await withLock(${JSON.stringify(file)}, () => {}, () => { console.log('held'); return new Promise(() => setInterval(() => {}, 1000)); });`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    holder.kill('SIGKILL');
    expect(await withLock(file, silent, async () => 'next')).toBe('next');
  });
});
