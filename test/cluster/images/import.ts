import { CONTAINERD_SOCKET } from '../network.ts';
import { runInside } from '../components.ts';
import type { ClusterHandle } from '../state.ts';
import type { Archive } from './archive.ts';
import { ctrImport } from './storage.ts';

/** Imports image archives (docker or OCI, tar) into a cluster that runs. Pods made afterwards get them. */
const importImages = async (handle: ClusterHandle, files: readonly string[]): Promise<void> => {
  for (const file of files) await runInside(handle, ['ctr', ...ctrImport(file)]);
};

/** The images that a cluster has, by reference, with their manifests' digests. */
export const imagesIn = async (handle: ClusterHandle): Promise<ReadonlyMap<string, string>> => {
  const list = await runInside(handle, [
    'ctr',
    '--address',
    CONTAINERD_SOCKET,
    '--namespace',
    'k8s.io',
    'images',
    'ls',
  ]);
  const rows = list
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/));
  return new Map(rows.flatMap(([ref, , digest]) => (ref && digest ? [[ref, digest] as const] : [])));
};

/** Imports those archives whose content the cluster does not have under that reference. Returns their references. */
export const importMissing = async (handle: ClusterHandle, archives: readonly Archive[]): Promise<string[]> => {
  const present = await imagesIn(handle);
  const missing = archives.filter(({ ref, digest }) => present.get(ref) !== digest);
  await importImages(
    handle,
    missing.map(({ file }) => file),
  );
  return missing.map(({ ref }) => ref);
};
