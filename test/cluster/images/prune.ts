import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

const KEEP = 40;
const RECENT_MS = 3_600_000;

/** Marks a file of the cache as used just now. */
export const touch = async (file: string): Promise<void> => {
  const now = new Date();
  await utimes(file, now, now);
};

/** Removes what of a folder was not used for an hour, but for the files that were used last. */
export const prune = async (folder: string): Promise<void> => {
  const names = await readdir(folder).catch(() => []);
  const files = await Promise.all(
    names.map(async (name) => {
      const entry = await stat(join(folder, name)).catch(() => undefined);
      return { name, used: entry?.mtimeMs ?? 0 };
    }),
  );
  const newestFirst = files.toSorted((one, other) => other.used - one.used);
  const old = newestFirst.slice(KEEP).filter(({ used }) => Date.now() - used > RECENT_MS);
  for (const { name } of old) await rm(join(folder, name), { recursive: true, force: true });
};
