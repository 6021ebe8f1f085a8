import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterDown, clusterUp, reachCluster } from '../cluster/cluster.ts';
import { insideCommand, killComponent, startComponent } from '../cluster/components.ts';
import { run } from '../cluster/exec.ts';
import { forward } from '../cluster/forward.ts';
import { images } from '../cluster/images/catalog.ts';
import { leftovers, listed } from '../cluster/leftovers.ts';
import { checkoutId, clusterSource } from '../cluster/paths.ts';
import { isAlive, processesOf, signal } from '../cluster/processes.ts';
import { findCluster, readState } from '../cluster/state.ts';
import type { ClusterHandle } from '../cluster/state.ts';
import { until } from '../cluster/until.ts';

/** Names of this checkout alone: another may run these tests on the same machine at once. */
const ONE = `test-one-${checkoutId}`;
const TWO = `test-two-${checkoutId}`;
const CUT_SHORT = `test-cut-short-${checkoutId}`;

/** A start takes seconds, but a machine on which much else runs at once needs its time. */
const UP_MS = 180_000;

const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'web',
        image: images.base,
        command: [
          'node',
          '-e',
          `http.createServer((q, r) => r.end('I am ${name}, user ' + process.getuid())).listen(8080)`,
        ],
        readinessProbe: { httpGet: { port: 8080, path: '/' }, periodSeconds: 1 },
        securityContext: { readOnlyRootFilesystem: true, runAsNonRoot: true },
      },
    ],
  },
});

const kubectl = (handle: ClusterHandle, args: readonly string[], input?: unknown): Promise<string> =>
  run(handle.kubectl, ['--kubeconfig', handle.kubeconfigOutside, ...args], {
    ...(input === undefined ? {} : { input: JSON.stringify(input) }),
    timeoutMs: 40_000,
  });

const runPod = async (handle: ClusterHandle, name: string): Promise<string> => {
  await kubectl(handle, ['apply', '-f', '-'], pod(name));
  await kubectl(handle, ['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=30s']);
  return kubectl(handle, ['get', 'pod', name, '-o', 'jsonpath={.status.podIP}']);
};

const nothingLeft = (name: string, limitMs: number): Promise<string[]> =>
  until(async () => listed(await leftovers(name)).length === 0, {
    what: `nothing left of ${name}`,
    limitMs,
    everyMs: 100,
  }).then(
    () => [],
    async () => listed(await leftovers(name)),
  );

let one: ClusterHandle;
let two: ClusterHandle;
let podAddress = '';

beforeAll(async () => {
  await Promise.all([ONE, TWO, CUT_SHORT].map((name) => clusterDown(name)));
}, 60_000);

afterAll(async () => {
  await Promise.all([ONE, TWO, CUT_SHORT].map((name) => clusterDown(name)));
}, 60_000);

describe('the embedded cluster', () => {
  it('comes up once when it is started twice at once, and beside another one', { timeout: UP_MS }, async () => {
    const options = { audit: true, maxContainerRestartPeriod: '2s' };
    const [first, second, other] = await Promise.all([
      clusterUp({ name: ONE, options }),
      clusterUp({ name: ONE, options }),
      clusterUp({ name: TWO }),
    ]);
    expect(second).toEqual(first);
    expect(other.initPid).not.toBe(first.initPid);
    expect(findCluster(ONE)).toEqual(first);
    [one, two] = [first, other];
  });

  it('does not pass itself off for a cluster with other options', async () => {
    await expect(clusterUp({ name: ONE, options: {} })).rejects.toThrow('up with other options; take it down first');
  });

  it('runs pods from its images as a user without rights', async () => {
    podAddress = await runPod(one, 'web');
    const { command, args } = insideCommand(one, [
      process.execPath,
      '-e',
      `fetch('http://${podAddress}:8080').then(r => r.text()).then(console.log)`,
    ]);
    expect(await run(command, args)).toBe('I am web, user 65532\n');
  });

  it('is reached from outside through a forwarder, which ends when it is told to', async () => {
    const forwarded = await forward(one, { host: podAddress, port: 8080 });
    const url = `http://127.0.0.1:${forwarded.port}`;
    expect(await (await fetch(url)).text()).toBe('I am web, user 65532');
    forwarded.stop();
    await until(
      () =>
        fetch(url).then(
          () => false,
          () => true,
        ),
      { what: 'the end of the forwarder', limitMs: 20_000 },
    );
  });

  it('is reached on the same port again when its forwarder was lost', async () => {
    const forwarder = readState(ONE)?.forwarder;
    if (!forwarder) throw new Error('no forwarder was written down');
    process.kill(-forwarder.pid, 'SIGKILL');
    await until(() => !isAlive(forwarder), { what: 'the end of the forwarder', limitMs: 20_000 });
    await expect(kubectl(one, ['get', '--raw', '/readyz'])).rejects.toThrow('refused');
    expect(await reachCluster(ONE)).toEqual(one);
    expect(await kubectl(one, ['get', '--raw', '/readyz'])).toBe('ok');
  });

  it('knows nothing of the pods of another cluster', async () => {
    await expect(kubectl(two, ['get', 'pod', 'web'])).rejects.toThrow('"web" not found');
    await runPod(two, 'web');
  });

  it('lets no traffic out', async () => {
    const dial = `require('net').connect(80, '192.0.2.1').on('error', e => console.log(e.code))`;
    expect(await kubectl(one, ['exec', 'web', '--', 'node', '-e', dial])).toBe('ENETUNREACH\n');
  });

  it('keeps an audit log when it is asked to', async () => {
    const log = await readFile(join(one.stateDir, 'logs', 'audit.log'), 'utf8');
    expect(log).toContain('/api/v1/namespaces/default/pods/web');
  });

  it('survives a crash of its API server, and so do its pods', async () => {
    const restarts = ['get', 'pod', 'web', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}'];
    await killComponent(one, 'apiserver');
    await expect(kubectl(one, ['get', '--raw', '/readyz'])).rejects.toThrow();
    await startComponent(one, 'apiserver');
    await until(
      () =>
        kubectl(one, ['get', '--raw', '/readyz']).then(
          () => true,
          () => false,
        ),
      {
        what: 'the API server',
        limitMs: 20_000,
        everyMs: 300,
      },
    );
    expect(await kubectl(one, restarts)).toBe('0');
  });

  it('shows its processes and control groups to the machine while it runs, and nothing else', async () => {
    const found = await leftovers(ONE);
    expect(found.processes.join('\n')).toContain('kube-apiserver');
    expect(found.processes.join('\n')).toContain('I am web');
    expect(found.cgroups).not.toEqual([]);
    expect(listed({ ...found, processes: [], cgroups: [] })).toEqual([]);
  });

  it('goes without a trace in at most 5 s, and leaves its neighbour alone', async () => {
    const start = performance.now();
    await clusterDown(ONE);
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(listed(await leftovers(ONE))).toEqual([]);
    expect(findCluster(ONE)).toBeUndefined();
    expect(await kubectl(two, ['get', 'pod', 'web', '-o', 'jsonpath={.status.phase}'])).toBe('Running');
  });

  it('leaves nothing when its first process is killed', async () => {
    process.kill(two.initPid, 'SIGKILL');
    expect(await nothingLeft(TWO, 10_000)).toEqual([]);
    expect(findCluster(TWO)).toBeUndefined();
  });

  it('leaves nothing when the command that starts it is killed half-way', { timeout: UP_MS }, async () => {
    const up = spawn(process.execPath, [clusterSource('cli.ts'), 'up', '--name', CUT_SHORT], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const lines = createInterface(up.stderr);
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => line.includes('API server is ready') && resolve());
      up.once('exit', () => reject(new Error('up ended too early')));
    });
    expect(listed(await leftovers(CUT_SHORT))).not.toEqual([]);
    up.kill('SIGKILL');
    await once(up, 'exit');
    expect(await nothingLeft(CUT_SHORT, 10_000)).toEqual([]);
  });

  it('comes up all the same afterwards, and is cleared up by the next command when nobody was left to do it', {
    timeout: UP_MS,
  }, async () => {
    await clusterUp({ name: CUT_SHORT });
    const state = readState(CUT_SHORT);
    if (!state) throw new Error('nothing was written down about the cluster');
    signal(state.keeper, 'SIGKILL');
    expect(findCluster(CUT_SHORT)).toBeDefined();
    signal(state.init, 'SIGKILL');
    await until(() => processesOf(CUT_SHORT).length === 0, { what: 'the end of its processes', limitMs: 30_000 });
    expect((await leftovers(CUT_SHORT)).cgroups).not.toEqual([]);
    await clusterDown(CUT_SHORT);
    expect(listed(await leftovers(CUT_SHORT))).toEqual([]);
  });
});
