import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkName, stateDirOf } from './paths.ts';
import { isAlive } from './processes.ts';
import type { ProcessId } from './processes.ts';

export type ComponentName =
  | 'etcd'
  | 'containerd'
  | 'apiserver'
  | 'controller-manager'
  | 'scheduler'
  | 'kubelet'
  | 'proxy'
  | 'dns';

/** What may differ between clusters. Two runs of `up` with different options do not share a cluster. */
export type ClusterOptions = Readonly<{
  /** Longest pause before a crashed container is started again, "2s" for instance. Default: the kubelet's, 5m. */
  maxContainerRestartPeriod?: string;
  /** How often the API server compacts etcd, "10s" for instance, which makes old watches end with 410. Default 5m. */
  etcdCompactionInterval?: string;
  /** Writes every request, without bodies, to logs/audit.log in the cluster's folder. */
  audit?: boolean;
  /** More flags, put last. */
  flags?: Readonly<Partial<Record<ComponentName, readonly string[]>>>;
}>;

/** A cluster that runs. */
export type ClusterHandle = Readonly<{
  name: string;
  /** Its first process, as seen from outside. Nothing of the cluster outlives it. */
  initPid: number;
  /** For processes in its network namespace. */
  kubeconfigInside: string;
  /** For processes outside, by way of a forwarder on 127.0.0.1. */
  kubeconfigOutside: string;
  stateDir: string;
  /** A kubectl of the cluster's version. */
  kubectl: string;
}>;

export type ClusterState = Readonly<{
  name: string;
  phase: 'starting' | 'ready';
  init: ProcessId;
  keeper: ProcessId;
  apiPort: number;
  forwarder: ProcessId;
  options: ClusterOptions;
  /** Absolute paths by program name. */
  programs: Readonly<Record<string, string>>;
}>;

const fileOf = (name: string): string => join(stateDirOf(name), 'cluster.json');

/** What the last `up` wrote; undefined if there is none or it cannot be read. Says nothing about what runs. */
export const readState = (name: string): ClusterState | undefined => {
  try {
    return JSON.parse(readFileSync(fileOf(name), 'utf8')) as ClusterState;
  } catch {
    return undefined;
  }
};

export const writeState = async (state: ClusterState): Promise<void> => {
  const file = fileOf(state.name);
  await writeFile(`${file}.new`, JSON.stringify(state, null, 2));
  await rename(`${file}.new`, file);
};

export const handleOf = (state: ClusterState): ClusterHandle => {
  const stateDir = stateDirOf(state.name);
  return {
    name: state.name,
    initPid: state.init.pid,
    kubeconfigInside: join(stateDir, 'kubeconfig-inside.yaml'),
    kubeconfigOutside: join(stateDir, 'kubeconfig.yaml'),
    stateDir,
    kubectl: state.programs['kubectl'] ?? 'kubectl',
  };
};

/** The cluster of that name, if it is up and complete. */
export const findCluster = (name: string): ClusterHandle | undefined => {
  const state = readState(checkName(name));
  return state?.phase === 'ready' && isAlive(state.init) ? handleOf(state) : undefined;
};

/** Like findCluster, but throws when it is not up. */
export const stateOfRunning = (name: string): ClusterState => {
  const state = readState(checkName(name));
  if (!state || !isAlive(state.init)) throw new Error(`cluster "${name}" is not up`);
  return state;
};
