// The reflector against the real API server, through proxies that spoil what passes. After each fault: the store equals
// a fresh list, within the limit that the test states.
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts';
import { credentialsFromKubeConfig, type Credentials } from '../../operator/kube/credentials.ts';
import { silentLogger } from '../../operator/kube/log.ts';
import { createKubeMetrics } from '../../operator/kube/metrics.ts';
import { createReflector, type Reflector } from '../../operator/kube/reflector.ts';
import type { ResourceType } from '../../operator/kube/resources.ts';
import { createTransport, type KubeTransport, type TransportLimits } from '../../operator/kube/transport.ts';
import { killComponent, startComponent } from '../cluster/components.ts';
import { findCluster } from '../cluster/state.ts';
import { until } from '../cluster/until.ts';
import { type AnswerProxy, startAnswerProxy } from '../fixtures/answer-proxy.ts';
import { type FaultProxy, startFaultProxy } from '../fixtures/fault-proxy.ts';

const configMaps: ResourceType = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};
const namespace = 'default';
const labelSelector = 'test=reflector';

type ConfigMap = {
  metadata: { namespace: string; name: string; uid: string; resourceVersion: string };
  data?: Record<string, string>;
};
type View = ConfigMap['metadata'] & { value: string };
const project = (raw: unknown): View => {
  const { metadata, data } = raw as ConfigMap;
  const { namespace, name, uid, resourceVersion } = metadata;
  return { namespace, name, uid, resourceVersion, value: data?.['value'] ?? '' };
};

let direct: KubeTransport;
let client: KubeClient;
let credentials: Credentials;
let proxy: FaultProxy;
let answers: AnswerProxy;
let transport: KubeTransport;
let reflector: Reflector<View>;
let registry: Registry;
let stop: AbortController;
let names = 0;

beforeAll(async () => {
  const source = credentialsFromKubeConfig({ kubeconfig: process.env['AWP_KUBECONFIG'] ?? '' });
  credentials = await source.get();
  direct = createTransport({ credentials: source, limits: { rate: { perSecond: 1_000, burst: 1_000 } } });
  client = createKubeClient({ transport: direct });
});
afterAll(async () => {
  await direct.close();
});
beforeEach(async () => {
  const server = new URL(credentials.server);
  proxy = await startFaultProxy({ host: server.hostname, port: Number(server.port) });
  answers = await startAnswerProxy(credentials);
  registry = new Registry();
  stop = new AbortController();
});
afterEach(async () => {
  await reflector.stop();
  await transport.close();
  await proxy.stop();
  await answers.stop();
  for (const { metadata } of await listed()) await client.deleteWithPreconditions(configMaps, metadata, metadata);
});

const listed = async () => (await client.list<ConfigMap>(configMaps, { namespace, labelSelector })).items;
const create = (value: string) => {
  names += 1;
  const metadata = { namespace, name: `reflected-${process.pid}-${names}`, labels: { test: 'reflector' } };
  return client.create<ConfigMap>(configMaps, { metadata, data: { value } } as never);
};
const update = (item: ConfigMap, value: string) =>
  client.mergePatch<ConfigMap>(configMaps, { metadata: item.metadata, data: { value } } as never);
const remove = ({ metadata }: ConfigMap) => client.deleteWithPreconditions(configMaps, metadata, metadata);

/** Creates, changes and deletes: what every fault must not hide. */
async function commotion(): Promise<void> {
  const [a, b, c] = [await create('a1'), await create('b1'), await create('c1')];
  await update(a, 'a2');
  await remove(b);
  await update(c, 'c2');
}

type By = 'tcp' | 'http';
async function reflect(by: By, limits: Partial<TransportLimits> = {}, streams = true): Promise<void> {
  const through = { ...credentials, server: `https://127.0.0.1:${proxy.port}` };
  const source = { get: () => Promise.resolve(through), renew: () => Promise.resolve(through) };
  transport = createTransport({ credentials: by === 'tcp' ? source : answers.credentials, limits });
  const backoff = { baseMs: 50, maxMs: 500 };
  const metrics = createKubeMetrics(registry);
  if (!streams) answers.answer = ({ url }) => (url.includes('sendInitialEvents') ? { status: 422 } : undefined);
  const options = { transport, type: configMaps, labelSelector, project, metrics, log: silentLogger };
  reflector = createReflector<View>({ ...options, timings: { backoff, auditConfirmMs: 300 } });
  await reflector.start(stop.signal);
}

const versions = (items: readonly { name: string; uid: string; resourceVersion: string }[]) =>
  JSON.stringify(items.map(({ name, uid, resourceVersion }) => `${name} ${uid} ${resourceVersion}`).sort());

/** Waits until the store equals a fresh list; that limit is the promise under test. */
const equalsFreshList = (limitMs: number) =>
  until(async () => versions(reflector.store.list()) === versions((await listed()).map(({ metadata }) => metadata)), {
    what: 'the store equals a fresh list',
    limitMs,
    everyMs: 20,
  });

async function restarts(reason: string): Promise<number> {
  const metric = await registry.getSingleMetric('reflector_watch_restarts_total')?.get();
  return metric?.values.find(({ labels }) => labels['reason'] === reason)?.value ?? -1;
}
async function lists(): Promise<number> {
  const metric = await registry.getSingleMetric('reflector_lists_total')?.get();
  return metric?.values[0]?.value ?? -1;
}

describe('a reflector of the real API server', () => {
  it('follows every change on one streamed list, within a second', async () => {
    await create('before');
    await reflect('http');
    await commotion();
    await equalsFreshList(1_000);
    expect(answers.requests).toHaveLength(1);
    expect(answers.requests[0]?.url).toContain('sendInitialEvents=true');
  });

  it('reads pages of a server that has no streamed lists', async () => {
    for (let i = 0; i < 7; i += 1) await create('before');
    await reflect('http', {}, false);
    await commotion();
    await equalsFreshList(1_000);
  });

  it('survives resets between lines, within 3 s of the last', async () => {
    await reflect('tcp');
    for (let round = 0; round < 5; round += 1) {
      proxy.reset();
      await commotion();
    }
    await equalsFreshList(3_000);
    expect(await restarts('network')).toBeGreaterThanOrEqual(1);
  });

  it.each([1, 400, 1_500, 4_001])('survives a connection that ends after %i bytes, within 3 s', async (bytes) => {
    await reflect('tcp');
    proxy.cutAfter(bytes);
    await commotion();
    await until(() => restarts('network'), { what: 'the cut', limitMs: 5_000 });
    proxy.heal();
    await commotion();
    await equalsFreshList(3_000);
  });

  it('notices a half-open connection by its silence, within the inactivity limit and 3 s', async () => {
    await reflect('tcp', { inactivityMs: 2_000 });
    proxy.swallow();
    await commotion();
    await equalsFreshList(5_000);
    expect(await restarts('inactive')).toBeGreaterThanOrEqual(1);
  });

  it('keeps up with a slow network', async () => {
    await reflect('tcp');
    proxy.delay(300);
    await commotion();
    await equalsFreshList(3_000);
    expect(await restarts('network')).toBe(0);
  });

  it.each([429, 500, 503])('survives answers of %i to watch and list, within 4 s of the last', async (status) => {
    await reflect('http');
    answers.answer = () => ({ status, ...(status === 429 ? { retryAfter: 1 } : {}) });
    answers.line = () => 'no JSON';
    await create('ends the watch by a broken line');
    await until(() => reflector.trouble(), { what: 'the trouble', limitMs: 5_000 });
    await commotion();
    answers.answer = () => undefined;
    answers.line = (line) => line;
    await equalsFreshList(4_000);
    expect(reflector.trouble()).toBeUndefined();
  });

  it('reads everything again after a bookmark that goes backwards, within 2 s', async () => {
    await reflect('http');
    await commotion();
    await equalsFreshList(1_000);
    const before = await lists();
    const back = {
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: '3' } },
    };
    answers.line = (line) => `${line}\n${JSON.stringify(back)}`;
    await create('brings the bookmark with it');
    await until(async () => (await restarts('backwards')) > 0, { what: 'the restart', limitMs: 2_000 });
    answers.line = (line) => line;
    await commotion();
    await equalsFreshList(2_000);
    expect(await lists()).toBeGreaterThan(before);
  });

  it('finds out what a watch that lost an event has missed, and repairs it', async () => {
    await reflect('http');
    const item = await create('known');
    await equalsFreshList(1_000);
    const dropped = new Set<string>();
    answers.line = (line) => {
      const version = /"resourceVersion":"(\d+)"/.exec(line)?.[1] ?? '';
      if (!line.includes('lost') || dropped.has(version)) return line;
      dropped.add(version);
      return undefined;
    };
    await update(item, 'lost');
    await create('lost too');
    await create('seen');
    await until(() => reflector.store.size() === 2, { what: 'what was not lost', limitMs: 1_000 });
    expect(await reflector.audit()).toBe(2);
    await equalsFreshList(2_000);
    expect(await reflector.audit()).toBe(0);
  });

  it('tells a recreated object from a changed one by its UID', async () => {
    await reflect('tcp');
    const item = await create('first');
    await equalsFreshList(1_000);
    proxy.refuse();
    await remove(item);
    const { name, namespace } = item.metadata;
    const metadata = { namespace, name, labels: { test: 'reflector' } };
    const again = await client.create<ConfigMap>(configMaps, { metadata, data: { value: 'second' } } as never);
    proxy.heal();
    await equalsFreshList(3_000);
    expect(reflector.store.get(`${namespace}/${name}`)?.uid).toBe(again.metadata.uid);
  });
});

const cluster = findCluster(process.env['AWP_CLUSTER'] || 'none');
describe.runIf(cluster)('a reflector of an API server that is restarted', () => {
  const serverAnswers = () =>
    until(
      () =>
        direct.text({ method: 'GET', path: '/readyz' }).then(
          (text) => text === 'ok',
          () => false,
        ),
      {
        what: 'the API server is back',
        limitMs: 60_000,
      },
    );
  async function restart(): Promise<void> {
    if (!cluster) throw new Error('no embedded cluster');
    await killComponent(cluster, 'apiserver');
    await startComponent(cluster, 'apiserver');
    await serverAnswers();
  }

  it('equals a fresh list within 5 s of its return', async () => {
    await reflect('tcp');
    await commotion();
    await restart();
    await commotion();
    await equalsFreshList(5_000);
  });

  it('lists again when its version is really gone (410), and within 5 s misses nothing', async () => {
    await reflect('tcp');
    const doomed = await create('deleted while nobody looks');
    await equalsFreshList(1_000);
    proxy.refuse();
    await remove(doomed);
    await commotion();
    // a server that starts anew knows no change from before its start
    await restart();
    proxy.heal();
    await equalsFreshList(5_000);
    expect(await restarts('gone')).toBeGreaterThanOrEqual(1);
  });
});
