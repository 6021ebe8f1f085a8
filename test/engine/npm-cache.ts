import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { run } from '../cluster/exec.ts';
import type { LayerEntry } from '../cluster/images/layer.ts';
import { cacheDir } from '../cluster/paths.ts';

const project = join(import.meta.dirname, '..', '..');

/** npm's cache after it has installed what the lockfile says: it does so again without a network. */
async function cacheOfLockfile(): Promise<string> {
  const lockfile = await readFile(join(project, 'package-lock.json'));
  const key = createHash('sha256').update(lockfile).digest('hex').slice(0, 16);
  const folder = join(cacheDir(), 'npm', key);
  if (existsSync(folder)) return folder;
  const work = await mkdtemp(join(tmpdir(), 'awp-npm-'));
  const partial = `${folder}.${process.pid}`;
  try {
    for (const name of ['package.json', 'package-lock.json']) await copyFile(join(project, name), join(work, name));
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--cache', partial];
    await run('npm', ['ci', ...options], { cwd: work });
    await mkdir(join(cacheDir(), 'npm'), { recursive: true });
    await rename(partial, folder);
    return folder;
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(partial, { recursive: true, force: true });
  }
}

/** Everything that `npm ci` needs for this project, to lie below `target`; and where npm believes that it is from. */
export async function npmCache(
  target: string,
): Promise<Readonly<{ entries: readonly LayerEntry[]; registry: string }>> {
  const folder = await cacheOfLockfile();
  const files = await readdir(join(folder, '_cacache'), { recursive: true, withFileTypes: true });
  const entries = files
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ path: join(target, relative(folder, file)), copy: file }));
  return { entries, registry: (await run('npm', ['config', 'get', 'registry'])).trim() };
}
