import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { apiIsReady, nodeIsReady } from './api.ts';
import { acquireAll } from './binaries/acquire.ts';
import type { Programs } from './binaries/acquire.ts';
import { clusterTools } from './binaries/catalog.ts';
import { makeCertificates, writeKubeconfig } from './certificates.ts';
import { environmentOf, startIn } from './components.ts';
import { writeConfiguration } from './configuration.ts';
import { run } from './exec.ts';
import { forward } from './forward.ts';
import { assertCanRun } from './host.ts';
import type { Archive } from './images/archive.ts';
import { baseLayers, standingImages } from './images/catalog.ts';
import { importMissing } from './images/import.ts';
import { usableProjectImages } from './images/project.ts';
import { copyStorage, pristineStorage } from './images/storage.ts';
import { withLock } from './lock.ts';
import { CONTAINERD_SOCKET, RUNTIME_DIR, apiInside, network } from './network.ts';
import { cacheDir, checkName, clusterSource, stateDirOf } from './paths.ts';
import { childrenOf, identify, isAlive, kill, processesOf, signal } from './processes.ts';
import type { ProcessId } from './processes.ts';
import { silent } from './progress.ts';
import type { Progress } from './progress.ts';
import { findCluster, handleOf, readState, writeState } from './state.ts';
import type { ClusterHandle, ClusterOptions, ClusterState, ComponentName } from './state.ts';
import { until } from './until.ts';

/** The cluster could not be started; the message says at which step, and the cause why. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
}

export type UpRequest = Readonly<{ name?: string; progress?: Progress; options?: ClusterOptions }>;

const FOLDERS = ['pki', 'etc', 'run', 'logs', 'etcd', 'varlib', 'varlog'];
const lockOf = (name: string): string => join(cacheDir(), 'locks', `cluster-${name}`);
const apiTarget = { host: network.nodeAddress, port: network.apiPort };
const startOrder: readonly ComponentName[] = ['controller-manager', 'scheduler', 'kubelet', 'proxy', 'dns'];

/** Removes what an earlier cluster of that name left in the cache, but not its logs unless they are in the way. */
const clearState = async (stateDir: string, keepLogs: boolean): Promise<void> => {
  const entries = await readdir(stateDir).catch(() => []);
  for (const entry of entries) {
    if (!(keepLogs && entry === 'logs')) await rm(join(stateDir, entry), { recursive: true, force: true });
  }
};

/** Ends the cluster's first process, and with it every other, and waits until its keeper has cleared up. */
const tearDown = async (name: string, { keepLogs }: { keepLogs: boolean }): Promise<void> => {
  const state = readState(name);
  if (state) {
    signal(state.init, 'SIGKILL');
    await until(() => !isAlive(state.init) && !isAlive(state.keeper), {
      what: `the end of cluster "${name}"`,
      limitMs: 10_000,
      everyMs: 20,
    });
  }
  for (const pid of processesOf(name).filter((found) => found !== process.pid)) kill(pid); // of a cluster whose folder was deleted or whose start was cut short
  await run('bash', [clusterSource('keeper.sh'), 'sweep', name]);
  await clearState(stateDirOf(name), keepLogs);
};

type Keeper = Readonly<{ child: ChildProcess; id: ProcessId; init: ProcessId; keep: () => void }>;

const startKeeper = async (name: string, programs: Programs): Promise<Keeper> => {
  const stateDir = stateDirOf(name);
  const log = openSync(join(stateDir, 'logs', 'keeper.log'), 'a');
  const child = spawn('bash', [clusterSource('keeper.sh'), 'run', name, stateDir], {
    stdio: ['pipe', log, log],
    detached: true,
    cwd: '/',
    env: {
      ...environmentOf({ name, programs: Object.fromEntries(programs) }),
      STATE: stateDir,
      PAUSE: programs.get('pause'),
      RUNTIME_DIR,
      NODE_NAME: network.nodeName,
      NODE_ADDRESS: network.nodeAddress,
      POD_GATEWAY: network.podGateway,
      SERVICE_CIDR: network.serviceCidr,
    },
  });
  closeSync(log);
  child.unref();
  const pid = child.pid ?? -1;
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  await until(() => ended() || existsSync(join(stateDir, 'run', 'namespaces-ready')), {
    what: 'namespaces, mounts and network',
    limitMs: 10_000,
    everyMs: 10,
  });
  const first = childrenOf(pid).flatMap(childrenOf)[0];
  const [id, init] = [identify(pid), first === undefined ? undefined : identify(first)];
  if (!id || !init) {
    child.stdin?.end();
    const said = await readFile(join(stateDir, 'logs', 'pid1.log'), 'utf8').catch(() => '');
    throw new ClusterError(`its namespaces could not be set up: ${said.trim()}`);
  }
  return { child, id, init, keep: () => child.stdin?.end('keep\n') };
};

const writeKubeconfigs = async (state: ClusterState): Promise<void> => {
  const handle = handleOf(state);
  const pki = join(handle.stateDir, 'pki');
  const inEtc = (file: string) => join(handle.stateDir, 'etc', file);
  const outside = `https://127.0.0.1:${state.apiPort}`;
  await Promise.all([
    writeKubeconfig(handle.kubeconfigInside, { pki, user: 'admin', server: apiInside }),
    writeKubeconfig(handle.kubeconfigOutside, { pki, user: 'admin', server: outside }),
    writeKubeconfig(inEtc('admin.yaml'), { pki, user: 'admin', server: apiInside }),
    writeKubeconfig(inEtc('kubelet-user.yaml'), { pki, user: 'kubelet', server: apiInside }),
    writeKubeconfig(inEtc('proxy-user.yaml'), { pki, user: 'proxy', server: apiInside }),
  ]);
};

type Prepared = Readonly<{ programs: Programs; storage: string; archives: Archive[] }>;

const prepare = async (progress: Progress): Promise<Prepared> => {
  const programs = await acquireAll(clusterTools, progress);
  const base = await baseLayers(programs);
  const standing = await standingImages(programs, base);
  const storage = await pristineStorage(standing, programs, progress);
  return { programs, storage, archives: await usableProjectImages(base, progress) };
};

/** Starts every component in its order, and returns when the node is Ready and has the project's images. */
const startComponents = async (state: ClusterState, prepared: Prepared, progress: Progress): Promise<void> => {
  const stateDir = stateDirOf(state.name);
  const early: ComponentName[] = ['etcd', 'containerd', 'apiserver'];
  await Promise.all(early.map((component) => startIn(state, component)));
  const imported = (async () => {
    const socket = `/proc/${state.init.pid}/root${CONTAINERD_SOCKET}`;
    await until(() => existsSync(socket), { what: 'containerd', limitMs: 20_000 });
    await importMissing(handleOf(state), prepared.archives);
  })();
  imported.catch(() => {}); // looked at below, after the API server
  await until(() => apiIsReady(stateDir, state.apiPort), { what: 'the API server', limitMs: 60_000, everyMs: 100 });
  progress('API server is ready');
  await Promise.all(startOrder.map((component) => startIn(state, component)));
  await imported;
  await until(() => nodeIsReady(stateDir, state.apiPort), { what: 'the node', limitMs: 60_000, everyMs: 100 });
  progress('node is Ready');
};

const start = async (name: string, request: UpRequest): Promise<ClusterHandle> => {
  const { progress = silent, options = {} } = request;
  const prepared = await prepare(progress);
  const { programs } = prepared;
  const stateDir = stateDirOf(name);
  await tearDown(name, { keepLogs: false });
  for (const folder of FOLDERS) await mkdir(join(stateDir, folder), { recursive: true, mode: 0o700 });
  progress(`starting cluster "${name}"`);
  const ready = Promise.all([
    makeCertificates(join(stateDir, 'pki')),
    writeConfiguration(name, { stateDir, programs }, options),
    copyStorage(prepared.storage, join(stateDir, 'containerd')),
  ]);
  ready.catch(() => {}); // looked at below
  const keeper = await startKeeper(name, programs);
  // The keeper ends the cluster when this process ends before it is complete, however that happens.
  try {
    const [forwarded] = await Promise.all([forward({ initPid: keeper.init.pid, stateDir }, apiTarget), ready]);
    const state: ClusterState = {
      name,
      phase: 'starting',
      options,
      apiPort: forwarded.port,
      forwarder: forwarded.process,
      init: keeper.init,
      keeper: keeper.id,
      programs: Object.fromEntries(programs),
    };
    await writeState(state);
    await writeKubeconfigs(state);
    await startComponents(state, prepared, progress);
    await writeState({ ...state, phase: 'ready' });
    keeper.keep();
    return handleOf(state);
  } catch (cause) {
    keeper.child.stdin?.end();
    signal(keeper.init, 'SIGKILL');
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ClusterError(`cluster "${name}" did not start: ${reason}; logs are in ${stateDir}/logs`, { cause });
  }
};

/** Sees to it that the API server is reached from outside, on the port that the kubeconfig names. */
const repairForwarder = async (state: ClusterState): Promise<ClusterHandle> => {
  const handle = handleOf(state);
  if (isAlive(state.forwarder)) return handle;
  const forwarded = await forward(handle, { ...apiTarget, localPort: state.apiPort });
  await writeState({ ...state, forwarder: forwarded.process });
  return handle;
};

/** The cluster of that name if it is up, with its forwarder started again if that was lost. */
export const reachCluster = async (name: string): Promise<ClusterHandle | undefined> =>
  withLock(lockOf(checkName(name)), silent, async () => {
    const state = readState(name);
    return state && findCluster(name) ? repairForwarder(state) : undefined;
  });

/**
 * Starts a cluster, or returns the one that runs under that name, whose images may then be older than the source
 * (`updateImages`). What is missing is fetched or built first.
 * Throws CannotRunHere, ToolUnavailable or ClusterError; then nothing is left running.
 */
export const clusterUp = async (request: UpRequest = {}): Promise<ClusterHandle> => {
  const name = checkName(request.name ?? 'default');
  const progress = request.progress ?? silent;
  await assertCanRun();
  return withLock(lockOf(name), progress, async () => {
    const state = readState(name);
    if (state?.phase !== 'ready' || !isAlive(state.init)) return start(name, request);
    if (!isDeepStrictEqual(state.options, request.options ?? {})) {
      throw new ClusterError(`cluster "${name}" is up with other options; take it down first`);
    }
    progress(`cluster "${name}" is up`);
    return repairForwarder(state);
  });
};

/** Ends a cluster; its logs stay. Does nothing but clear up when it is not up. */
export const clusterDown = async (name = 'default', progress: Progress = silent): Promise<void> => {
  checkName(name);
  await withLock(lockOf(name), progress, () => tearDown(name, { keepLogs: true }));
};
