import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { acquire } from './binaries/acquire.ts';
import { nftables } from './binaries/catalog.ts';
import { run } from './exec.ts';
import { network } from './network.ts';
import { cgroupOf, stateDirOf } from './paths.ts';
import { commandLineOf, parentOf, processesOf } from './processes.ts';
import { silent } from './progress.ts';

/** What of a cluster is seen on the machine outside of its namespaces, each as a line for a person. */
export type Leftovers = Readonly<{
  processes: readonly string[];
  mounts: readonly string[];
  interfaces: readonly string[];
  routes: readonly string[];
  cgroups: readonly string[];
  rules: readonly string[];
}>;

const CGROUPS = '/sys/fs/cgroup';
const TABLES = /^table \S+ (?:kube-proxy|cni_\S*|awp\S*)/;

/**
 * A process that has the machine's own view, since a test may itself run in a cluster's network: the oldest of our
 * ancestors whose namespaces we may enter.
 */
const machine = (): number => {
  let found = process.pid;
  for (let pid = process.ppid; pid > 0; pid = parentOf(pid)) {
    try {
      readlinkSync(`/proc/${pid}/ns/net`);
      found = pid;
    } catch {
      break;
    }
  }
  return found;
};

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n');

/** A line of /proc/net/route holds the destination as a little-endian hexadecimal number (proc(5)). */
const littleEndian = (cidr: string): string =>
  cidr
    .replace(/\/.*/, '')
    .split('.')
    .reverse()
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();

const routesSeenBy = (pid: number): string[] => {
  const ours = [network.podCidr, network.serviceCidr, network.nodeCidr].map(littleEndian);
  return linesOf(`/proc/${pid}/net/route`).filter((line) => ours.includes(line.split('\t')[1] ?? ''));
};

const interfacesSeenBy = (pid: number): string[] =>
  linesOf(`/proc/${pid}/net/dev`)
    .flatMap((line) => /^\s*(\S+):/.exec(line)?.[1] ?? [])
    .filter((device) => /^(?:awp|cni)\d/.test(device));

const cgroupsOf = (name: string): string[] =>
  [CGROUPS, ...readdirSync(CGROUPS).map((hierarchy) => join(CGROUPS, hierarchy))]
    .map((hierarchy) => join(hierarchy, cgroupOf(name)))
    .filter((folder) => existsSync(folder));

const rulesSeenBy = async (pid: number): Promise<string[]> => {
  const nft = (await acquire(nftables, silent)).get('nft') ?? 'nft';
  const tables = await run('nsenter', ['-t', String(pid), '-n', nft, 'list', 'tables']);
  return tables.split('\n').filter((line) => TABLES.test(line));
};

/**
 * Looks for traces of a cluster on the machine. All lists are empty when it is down. While it runs there are its
 * processes and control groups; interfaces, routes and rules are never on the machine at all.
 */
export const leftovers = async (name: string): Promise<Leftovers> => {
  const pid = machine();
  return {
    processes: processesOf(name).map((pid) => `${pid} ${commandLineOf(pid)}`),
    mounts: linesOf(`/proc/${pid}/mountinfo`).filter((line) => line.includes(`${stateDirOf(name)}/`)),
    interfaces: interfacesSeenBy(pid),
    routes: routesSeenBy(pid),
    cgroups: cgroupsOf(name),
    rules: await rulesSeenBy(pid),
  };
};

/** All findings in one list; empty when nothing is left. */
export const listed = (found: Leftovers): string[] =>
  Object.entries(found).flatMap(([kind, lines]) => (lines as string[]).map((line) => `${kind}: ${line}`));
