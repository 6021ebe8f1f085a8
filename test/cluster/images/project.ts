import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { prune } from './prune.ts';

type ImageTarget = Exclude<BundleTarget, 'awp'>;

const targets: readonly ImageTarget[] = ['operator', 'worker'];

/** The image of the project's operator or worker as its source is now. Throws what the bundler says. */
const projectImage = async (target: ImageTarget, base: BaseLayers): Promise<Archive> => {
  const outdir = await mkdtemp(join(tmpdir(), 'awp-bundle-')); // not dist/, which two runs at once would share
  try {
    const { files } = await bundle(target, outdir);
    return await appImage(images[target], { files, base });
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
};

/** The project's images, but for those whose source cannot be bundled, of which it tells: a cluster needs neither. */
export const usableProjectImages = async (base: BaseLayers, progress: Progress): Promise<Archive[]> => {
  const results = await Promise.allSettled(targets.map((target) => projectImage(target, base)));
  return results.flatMap((result, index) => {
    if (result.status === 'fulfilled') return [result.value];
    progress(`the cluster gets no image of the ${targets[index]}: ${String(result.reason)}`);
    return [];
  });
};

/** Brings a running cluster's images up to date with the source. Returns the references of those that were imported. */
export const updateImages = async (handle: ClusterHandle, progress: Progress): Promise<string[]> => {
  const programs = await acquireAll(clusterTools, progress);
  const base = await baseLayers(programs);
  const own = await Promise.all(targets.map((target) => projectImage(target, base)));
  const standing = await standingImages(programs, base);
  const imported = await importMissing(handle, [...standing, ...own]);
  for (const folder of ['images', 'layers']) await prune(join(cacheDir(), folder));
  return imported;
};
