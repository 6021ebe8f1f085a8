import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { bundle } from '../../../scripts/bundle.ts';
import type { BundleTarget } from '../../../scripts/bundle.ts';
import { acquireAll } from '../binaries/acquire.ts';
import { clusterTools } from '../binaries/catalog.ts';
import { cacheDir } from '../paths.ts';
import type { Progress } from '../progress.ts';
import type { ClusterHandle } from '../state.ts';
import type { Archive } from './archive.ts';
import { appImage, baseLayers, images, standingImages } from './catalog.ts';
import type { BaseLayers } from './catalog.ts';
import { importMissing } from './import.ts';

const targets: readonly BundleTarget[] = ['operator', 'worker'];
const project = resolve(import.meta.dirname, '..', '..', '..');

/** Bundles the project's operator and worker as they are now, and makes an image of each. */
export const projectImages = async (base: BaseLayers): Promise<Archive[]> => {
  const outdir = await mkdtemp(join(tmpdir(), 'awp-bundle-')); // not dist/, which two runs at once would share
  try {
    const present = targets.filter((target) => existsSync(join(project, target, 'main.ts')));
    return await Promise.all(
      present.map(async (target) => appImage(images[target], { file: (await bundle(target, { outdir })).file, base })),
    );
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
};

const KEEP = 20;

/** Removes application layers and archives of old bundles, the oldest first. */
const removeOld = async (folder: string): Promise<void> => {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('work-'));
  const files = await Promise.all(
    names.map(async (name) => {
      const entry = await stat(join(folder, name)).catch(() => undefined);
      return { name, changed: entry?.mtimeMs ?? 0 };
    }),
  );
  const old = files.toSorted((one, other) => other.changed - one.changed).slice(KEEP);
  for (const { name } of old) await rm(join(folder, name), { force: true });
};

/** Brings a running cluster's images up to date with the source. Returns the references of those that were imported. */
export const updateImages = async (handle: ClusterHandle, progress: Progress): Promise<string[]> => {
  const programs = await acquireAll(clusterTools, progress);
  const base = await baseLayers(programs);
  const [standing, own] = await Promise.all([standingImages(programs, base), projectImages(base)]);
  const imported = await importMissing(handle, [...standing, ...own]);
  await removeOld(join(cacheDir(), 'images'));
  return imported;
};
