import { delimiter, dirname, join } from 'node:path';
import { clusterDown, clusterUp } from '../cluster/cluster.ts';
import { insideCommand } from '../cluster/components.ts';
import { CannotRunHere, assertCanRun } from '../cluster/host.ts';
import { leftovers, listed } from '../cluster/leftovers.ts';
import { withLock } from '../cluster/lock.ts';
import { cacheDir, checkoutId } from '../cluster/paths.ts';
import { onStderr } from '../cluster/progress.ts';
import type { ClusterHandle } from '../cluster/state.ts';
import type { ClusterAccess, DiagnosticsSource } from './cluster-access.ts';
import type { SuiteResult } from './results.ts';
import type { Lane } from './suites.ts';

/** One name for each checkout and lane: what a killed run has left is found and cleared by the next. */
const nameFor = (lane: Lane): string => {
  return lane === 'first' ? `test-${checkoutId}` : `test-${checkoutId}-${lane}`;
};

/** The embedded cluster of one lane of `npm test`: started when the first suite asks for it, ended by `close`. */
export type ClusterSession = Readonly<{
  open: () => Promise<ClusterAccess>;
  /** Ends the cluster and looks for what is left of it: a result of its own when there was a cluster. */
  close: () => Promise<SuiteResult | undefined>;
}>;

export function embeddedCluster(lane: Lane): ClusterSession {
  const name = nameFor(lane);
  let opened: Promise<ClusterAccess> | undefined;
  let release = () => {};
  let durationMs = 0;

  async function start(): Promise<ClusterAccess> {
    const started = performance.now();
    try {
      await assertCanRun();
      release = await holdLock(name);
      await clusterDown(name);
      return accessTo(await clusterUp({ name, progress: onStderr(), options: { audit: true } }));
    } catch (error) {
      const because = error instanceof Error ? error.message : String(error);
      return { kind: error instanceof CannotRunHere ? 'cannot' : 'failed', because };
    } finally {
      durationMs = performance.now() - started;
    }
  }

  async function close(): Promise<SuiteResult | undefined> {
    const access = await opened;
    if (access === undefined || access.kind === 'cannot') return undefined;
    const started = performance.now();
    const failures = access.kind === 'failed' ? [access.because] : [];
    try {
      await clusterDown(name);
      failures.push(...listed(await leftovers(name)).map((line) => `left over after the end: ${line}`));
    } catch (error) {
      failures.push(`the cluster did not end: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      release();
    }
    durationMs += performance.now() - started;
    return {
      name: lane === 'first' ? 'cluster' : `cluster ${lane}`,
      passed: failures.length === 0 ? 1 : 0,
      failures,
      skips: [],
      durationMs,
    };
  }

  return { open: () => (opened ??= start()), close };
}

/** Two runs in one checkout take turns. Resolves, once it is our turn, to the function that ends it. */
function holdLock(name: string): Promise<() => void> {
  return new Promise((held, fail) => {
    const lock = join(cacheDir(), 'locks', `runner-${name}`);
    withLock(lock, onStderr(), () => new Promise<void>((release) => held(release))).catch(fail);
  });
}

function accessTo(handle: ClusterHandle): ClusterAccess {
  const diagnostics: DiagnosticsSource = {
    kubectl: handle.kubectl,
    kubeconfig: handle.kubeconfigOutside,
    logs: join(handle.stateDir, 'logs'),
  };
  return {
    kind: 'ready',
    diagnostics,
    surroundings: {
      wrap: (argv) => {
        const { command, args } = insideCommand(handle, argv);
        return [command, ...args];
      },
      env: {
        AWP_CLUSTER: handle.name,
        AWP_KUBECONFIG: handle.kubeconfigInside,
        KUBECONFIG: handle.kubeconfigInside,
        PATH: `${process.env['PATH'] ?? ''}${delimiter}${dirname(handle.kubectl)}`,
      },
    },
  };
}
