import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from '../exec.ts';
import { cacheDir } from '../paths.ts';
import { touch } from './prune.ts';

/** One entry of an image's file system, owned by root. */
export type LayerEntry =
  | Readonly<{ path: string; copy: string; mode?: number }>
  | Readonly<{ path: string; text: string; mode?: number }>
  | Readonly<{ path: string; link: string }>
  | Readonly<{ path: string; folder: true; mode?: number }>;

/** A layer as a tar file in the cache. */
export type Layer = Readonly<{ file: string; digest: string; size: number }>;

const FORMAT = 2;
const TAR = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];

const hashOf = (...parts: string[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
};

/** Large files are told apart by size and time of change, since to read them takes longer than all the rest. */
const describe = async (entry: LayerEntry): Promise<string> => {
  if (!('copy' in entry)) return JSON.stringify(entry);
  const { size, mtimeMs } = await stat(entry.copy);
  const content = size < 32e6 ? hashOf((await readFile(entry.copy)).toString('base64')) : `${size} ${mtimeMs}`;
  return `${entry.path} ${entry.mode ?? ''} ${content}`;
};

const put = async (root: string, entry: LayerEntry): Promise<void> => {
  const target = join(root, entry.path);
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  if ('link' in entry) return symlink(entry.link, target);
  if ('folder' in entry) await mkdir(target, { recursive: true });
  else if ('copy' in entry) await copyFile(entry.copy, target);
  else await writeFile(target, entry.text);
  const usual = 'folder' in entry ? 0o755 : 0o644;
  await chmod(target, entry.mode ?? usual);
};

const digestOf = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
};

/** Makes the layer, or takes it from the cache: the same entries always give the same digest. */
export const makeLayer = async (entries: readonly LayerEntry[]): Promise<Layer> => {
  const key = hashOf(String(FORMAT), ...(await Promise.all(entries.map(describe))));
  const folder = join(cacheDir(), 'layers');
  const [file, note] = [join(folder, `${key}.tar`), join(folder, `${key}.json`)];
  const known = await readFile(note, 'utf8').catch(() => undefined);
  if (known !== undefined && existsSync(file)) {
    await Promise.all([touch(file), touch(note)]);
    return JSON.parse(known) as Layer;
  }
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, 'work-'));
  try {
    const root = join(work, 'root');
    await mkdir(root);
    for (const entry of entries) await put(root, entry);
    await run('tar', [...TAR, '-C', root, '-cf', join(work, 'layer.tar'), '.']);
    await rename(join(work, 'layer.tar'), file);
    const layer: Layer = { file, digest: await digestOf(file), size: (await stat(file)).size };
    await writeFile(join(work, 'note'), JSON.stringify(layer));
    await rename(join(work, 'note'), note); // last, so that a layer with a note is complete
    return layer;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
};
