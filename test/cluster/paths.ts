import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where everything that is fetched, built or started is kept: $XDG_CACHE_HOME/agent-worker-pool, else in ~/.cache. */
export const cacheDir = (env: NodeJS.ProcessEnv = process.env): string =>
  join(env['XDG_CACHE_HOME'] ? resolve(env['XDG_CACHE_HOME']) : join(homedir(), '.cache'), 'agent-worker-pool');

/** The folder of one cluster: its configuration, keys, logs and, while it is up, its container storage. */
export const stateDirOf = (name: string): string => join(cacheDir(), 'clusters', name);

/** The sources of the embedded cluster, for the scripts and Go modules that lie beside this file. */
export const clusterSource = (...parts: string[]): string => join(import.meta.dirname, ...parts);

/** Tells this checkout from every other on the machine, in names of what both may start at once. */
export const checkoutId: string = createHash('sha256')
  .update(resolve(import.meta.dirname, '..', '..'))
  .digest('hex')
  .slice(0, 8);

export type Arch = Readonly<{ go: 'amd64' | 'arm64'; multiarch: string }>;

/** The machine's architecture as Go and Debian name it. */
export const arch: Arch =
  process.arch === 'arm64'
    ? { go: 'arm64', multiarch: 'aarch64-linux-gnu' }
    : { go: 'amd64', multiarch: 'x86_64-linux-gnu' };

const NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

/** The control group, in every hierarchy, below which a cluster's pods run. */
export const cgroupOf = (name: string): string => `awp-${name}`;

/** Throws unless the name can stand in a file name, a control group and an environment variable. */
export const checkName = (name: string): string => {
  if (!NAME.test(name)) {
    throw new RangeError(`cluster name "${name}": use at most 32 of a-z, 0-9 and "-", not at either end`);
  }
  return name;
};
