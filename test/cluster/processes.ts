import { readFileSync, readdirSync } from 'node:fs';
import { cgroupOf, stateDirOf } from './paths.ts';

/** A process told apart from a later one with the same number by the time at which it started (clock ticks). */
export type ProcessId = Readonly<{ pid: number; startedAt: string }>;

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

type Stat = Readonly<{ state: string; parent: number; startedAt: string }>;

/** Fields of /proc/PID/stat (proc(5)); the command's name, which may hold blanks and brackets, is cut off first. */
const statOf = (pid: number): Stat | undefined => {
  const fields = read(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' ');
  if (!fields) return undefined;
  return { state: fields[0] ?? '', parent: Number(fields[1]), startedAt: fields[19] ?? '' };
};

const allPids = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

export const identify = (pid: number): ProcessId | undefined => {
  const stat = statOf(pid);
  return stat && { pid, startedAt: stat.startedAt };
};

/** Whether this very process, not another one with its number, still runs. A zombie does not. */
export const isAlive = (id: ProcessId): boolean => {
  const stat = statOf(id.pid);
  return stat !== undefined && stat.startedAt === id.startedAt && stat.state !== 'Z';
};

/** 0 for a process without a parent in sight. */
export const parentOf = (pid: number): number => statOf(pid)?.parent ?? 0;

export const childrenOf = (pid: number): number[] => allPids().filter((child) => statOf(child)?.parent === pid);

/** Sends a signal; a process that is gone already is no error. */
export const kill = (pid: number, name: NodeJS.Signals = 'SIGKILL'): void => {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

/** Sends a signal if this very process still runs. */
export const signal = (id: ProcessId, name: NodeJS.Signals): void => {
  if (isAlive(id)) kill(id.pid, name);
};

export const commandLineOf = (pid: number): string => (read(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').trim();

/** The variable in the environment of everything that a cluster starts; its value is the cluster's folder. */
export const MARKER = 'AWP_CLUSTER_STATE';

/** All processes of a cluster: those that carry its marker, and those in its control groups, its containers' namely. */
export const processesOf = (cluster: string): number[] => {
  const marker = `${MARKER}=${stateDirOf(cluster)}`;
  const group = new RegExp(`/${cgroupOf(cluster)}(/|$)`, 'm');
  return allPids().filter(
    (pid) =>
      (read(`/proc/${pid}/environ`) ?? '').split('\0').includes(marker) ||
      group.test(read(`/proc/${pid}/cgroup`) ?? ''),
  );
};
