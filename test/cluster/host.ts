import { accessSync, constants, existsSync } from 'node:fs';
import { CommandError, onPath, run } from './exec.ts';
import { cacheDir } from './paths.ts';

/** The embedded cluster cannot run on this machine; the message says why and what to do instead. */
export class CannotRunHere extends Error {
  override readonly name = 'CannotRunHere';
  constructor(why: string, options?: ErrorOptions) {
    super(
      `The embedded cluster cannot run here: ${why}. Use --context NAME to work on any cluster that kubectl reaches.`,
      options,
    );
  }
}

export type Host = Readonly<{ platform: string; uid: number; missing: readonly string[]; cacheDir: string }>;

const NEEDED = ['unshare', 'nsenter', 'flock', 'mount', 'ip', 'openssl', 'tar', 'bash'];
const HIDDEN = ['/run', '/var/lib', '/var/log'];

/** Why this machine cannot run the cluster, as far as it can be told without trying; undefined if nothing is known. */
export const whyNot = (host: Host): string | undefined => {
  if (host.platform !== 'linux') return `it needs Linux, and this is ${host.platform}`;
  if (host.uid !== 0) return 'it needs root (namespaces, mounts, control groups)';
  if (host.missing.length > 0) return `these programs are not on PATH: ${host.missing.join(', ')}`;
  const hidden = HIDDEN.find((folder) => `${host.cacheDir}/`.startsWith(`${folder}/`));
  if (hidden) return `its cache is below ${hidden}, which it replaces by a folder of its own; set XDG_CACHE_HOME`;
  return undefined;
};

const thisHost = (): Host => ({
  platform: process.platform,
  uid: process.getuid?.() ?? -1,
  missing: NEEDED.filter((program) => onPath(program) === undefined),
  cacheDir: cacheDir(),
});

/** Throws CannotRunHere unless the machine lets us make namespaces and control groups. */
export const assertCanRun = async (): Promise<void> => {
  const reason = whyNot(thisHost());
  if (reason) throw new CannotRunHere(reason);
  try {
    await run('unshare', ['--net', '--mount', '--pid', '--ipc', '--uts', '--fork', '--mount-proc', 'true']);
  } catch (error) {
    throw new CannotRunHere('the kernel refuses new namespaces (a container without privileges?)', {
      cause: error instanceof CommandError ? error : undefined,
    });
  }
  const root = existsSync('/sys/fs/cgroup/memory') ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup';
  try {
    accessSync(root, constants.W_OK);
  } catch (cause) {
    throw new CannotRunHere(`${root} is not writable`, { cause });
  }
};
