import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { constants, copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../exec.ts';
import { arch, cacheDir } from '../paths.ts';
import type { Layer } from './layer.ts';
import { touch } from './prune.ts';

/** The part of an image's configuration that we use, in the words of the OCI image specification. */
export type ImageConfig = Readonly<{
  Entrypoint: readonly string[];
  Cmd?: readonly string[];
  User?: string;
  WorkingDir?: string;
  Env?: readonly string[];
}>;

export type Image = Readonly<{
  ref: string;
  config: ImageConfig;
  layers: readonly Layer[];
  /** How many of the first layers the cluster has already, from another image: they are left out of the archive. */
  shared: number;
}>;

/** An image as an OCI layout in a tar file. */
export type Archive = Readonly<{ ref: string; digest: string; file: string }>;

const OCI = 'application/vnd.oci.image';

type Blob = Readonly<{ digest: string; size: number; text: string }>;

const blobOf = (content: unknown): Blob => {
  const text = JSON.stringify(content);
  return { digest: createHash('sha256').update(text).digest('hex'), size: Buffer.byteLength(text), text };
};

const descriptor = (mediaType: string, { digest, size }: Pick<Blob, 'digest' | 'size'>) => ({
  mediaType: `${OCI}.${mediaType}`,
  digest: `sha256:${digest}`,
  size,
});

/** Configuration, manifest and index of an image. The same content always has the same digests. */
export const documentsOf = (image: Image): Readonly<{ config: Blob; manifest: Blob; index: string }> => {
  const config = blobOf({
    created: '1970-01-01T00:00:00Z',
    architecture: arch.go,
    os: 'linux',
    config: image.config,
    rootfs: { type: 'layers', diff_ids: image.layers.map(({ digest }) => `sha256:${digest}`) },
  });
  const manifest = blobOf({
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: descriptor('config.v1+json', config),
    layers: image.layers.map((layer) => descriptor('layer.v1.tar', layer)),
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: [
      {
        ...descriptor('manifest.v1+json', manifest),
        platform: { architecture: arch.go, os: 'linux' },
        annotations: { 'io.containerd.image.name': image.ref },
      },
    ],
  });
  return { config, manifest, index };
};

/** Writes the archive into the cache, unless it is there. */
export const makeArchive = async (image: Image): Promise<Archive> => {
  const { config, manifest, index } = documentsOf(image);
  const folder = join(cacheDir(), 'images');
  const name = image.ref.replace(/^[^/]*\//, '').replaceAll(/[/:]/g, '_');
  const file = join(folder, `${name}-${manifest.digest.slice(0, 16)}-${image.shared}.tar`);
  const archive = { ref: image.ref, digest: `sha256:${manifest.digest}`, file };
  if (existsSync(file)) {
    await touch(file);
    return archive;
  }
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, 'work-'));
  try {
    const blobs = join(work, 'root', 'blobs', 'sha256');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(work, 'root', 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(join(work, 'root', 'index.json'), index);
    for (const { digest, text } of [config, manifest]) await writeFile(join(blobs, digest), text);
    // A copy, not a link: another run that marks the layer as used is a change to the tar that reads it, which fails.
    for (const layer of image.layers.slice(image.shared)) {
      await copyFile(layer.file, join(blobs, layer.digest), constants.COPYFILE_FICLONE);
    }
    await run('tar', ['-C', join(work, 'root'), '-cf', join(work, 'image.tar'), 'oci-layout', 'index.json', 'blobs']);
    await rename(join(work, 'image.tar'), file);
    return archive;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
};
