import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { containerdToml } from '../configuration.ts';
import { run } from '../exec.ts';
import { withLock } from '../lock.ts';
import { CONTAINERD_SOCKET, RUNTIME_DIR } from '../network.ts';
import { cacheDir } from '../paths.ts';
import type { Programs } from '../binaries/acquire.ts';
import type { Progress } from '../progress.ts';
import type { Archive } from './archive.ts';

/** The arguments of ctr that import one archive. */
export const ctrImport = (file: string): string[] => [
  '--address',
  CONTAINERD_SOCKET,
  '--namespace',
  'k8s.io',
  'images',
  'import',
  '--local',
  file,
];

/** A containerd that lives for the imports only, in namespaces of its own. $1: its configuration; the rest: archives. */
const IMPORTS = `set -e
mount -t tmpfs tmpfs /run
mkdir -p ${RUNTIME_DIR}
"$CONTAINERD" -c "$1" --log-level warn & server=$!
shift
for _ in $(seq 400); do [ -S ${CONTAINERD_SOCKET} ] && break; sleep 0.025; done
for file in "$@"; do "$CTR" ${ctrImport('"$file"').join(' ')} >/dev/null; done
kill $server
wait $server || true`;

const KEEP = 2;

const keyOf = (archives: readonly Archive[], programs: Programs): string => {
  const hash = createHash('sha256').update(programs.get('containerd') ?? '');
  for (const { ref, digest } of archives) hash.update(`${ref} ${digest}\n`);
  return hash.digest('hex').slice(0, 16);
};

const make = async (root: string, archives: readonly Archive[], programs: Programs): Promise<void> => {
  const partial = `${root}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const config = `${root}.toml`;
  await writeFile(config, containerdToml(partial, { stateDir: partial, programs }));
  const unshared = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child=SIGKILL'];
  const argv = [...unshared, 'bash', '-c', IMPORTS, 'imports', config, ...archives.map(({ file }) => file)];
  await run('unshare', argv, {
    env: { ...process.env, CONTAINERD: programs.get('containerd'), CTR: programs.get('ctr') },
  });
  await rename(partial, root);
};

const removeOld = async (folder: string, current: string): Promise<void> => {
  const others = (await readdir(folder)).filter((name) => !name.includes('.') && name !== current);
  for (const name of others.slice(0, Math.max(0, others.length - KEEP))) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
};

/**
 * A containerd storage with these images in it, as new. It is made once and never run: each start of a cluster gets
 * hard links to its layers, which are only read, and copies of its databases. So no container of an earlier run is
 * in it, and it costs no time. Returns its folder.
 */
export const pristineStorage = async (
  archives: readonly Archive[],
  programs: Programs,
  progress: Progress,
): Promise<string> => {
  const folder = join(cacheDir(), 'storage');
  const key = keyOf(archives, programs);
  const root = join(folder, key);
  if (existsSync(root)) return root;
  await withLock(join(cacheDir(), 'locks', 'storage'), progress, async () => {
    if (existsSync(root)) return;
    progress('importing the base images into a storage that clusters start from');
    await make(root, archives, programs);
    await removeOld(folder, key);
  });
  return root;
};

/** Fills `target`, which must not exist, from the pristine storage. Both lie in the cache, so links are possible. */
export const copyStorage = async (pristine: string, target: string): Promise<void> => {
  await run('cp', ['-al', pristine, target]);
  const entries = await readdir(pristine, { recursive: true });
  for (const path of entries.filter((name) => name.endsWith('.db') && !name.includes('/snapshots/'))) {
    await rm(join(target, path));
    await copyFile(join(pristine, path), join(target, path));
  }
};
