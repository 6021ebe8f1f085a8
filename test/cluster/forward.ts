import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { clusterSource } from './paths.ts';
import { MARKER, identify, isAlive } from './processes.ts';
import type { ProcessId } from './processes.ts';
import type { ClusterHandle } from './state.ts';

export type ForwardTarget = Readonly<{
  /** An address inside: a pod's, a service's, the node's. */
  host: string;
  port: number;
  /** Port on 127.0.0.1. Default: one that is free. */
  localPort?: number;
}>;

export type Forward = Readonly<{
  port: number;
  process: ProcessId;
  /** Ends it. Otherwise it ends with the cluster, not with the process that asked for it. */
  stop: () => void;
}>;

/** Makes an address inside the cluster reachable on 127.0.0.1 outside. */
export const forward = async (
  cluster: Pick<ClusterHandle, 'initPid' | 'stateDir'>,
  target: ForwardTarget,
): Promise<Forward> => {
  const listener = createServer().listen(target.localPort ?? 0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const log = openSync(join(cluster.stateDir, 'logs', 'forwarder.log'), 'a');
  const program = [process.execPath, clusterSource('forwarder.ts'), target.host, String(target.port)];
  const child = spawn('nsenter', ['-t', String(cluster.initPid), '-n', '-p', ...program], {
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
    env: { PATH: process.env['PATH'] ?? '', [MARKER]: cluster.stateDir },
  });
  try {
    child.send('listener', listener);
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the forwarder ended with ${code}, see ${cluster.stateDir}/logs`)));
    });
  } finally {
    closeSync(log);
    listener.close();
    if (child.connected) child.disconnect();
    child.unref();
  }
  const id = identify(child.pid ?? -1);
  if (!id) throw new Error('the forwarder ended at once');
  return {
    port,
    process: id,
    stop: () => {
      if (isAlive(id)) process.kill(-id.pid, 'SIGKILL'); // nsenter and what it started are one process group
    },
  };
};
