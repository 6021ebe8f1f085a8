// The reflector against the real API server, through proxies that spoil what passes. After each fault: the store equals
// a fresh list, within the limit that the test states.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TransportLimits } from '../../operator/kube/transport.ts';
import { killComponent, startComponent } from '../cluster/components.ts';
import { until } from '../cluster/until.ts';
import { type AnswerProxy, startAnswerProxy } from '../fixtures/answer-proxy.ts';
import { ConfigMaps, type Reflected, reflectConfigMaps } from '../fixtures/config-maps.ts';
import { embedded, onlyEmbedded } from '../fixtures/embedded-only.ts';
import { type FaultProxy, startFaultProxy } from '../fixtures/fault-proxy.ts';

let configMaps: ConfigMaps;
let proxy: FaultProxy;
let answers: AnswerProxy;
let reflected: Reflected;

beforeAll(async () => {
  configMaps = await ConfigMaps.connect('reflector');
});
afterAll(() => configMaps.close());
beforeEach(async () => {
  proxy = await startFaultProxy(configMaps.server());
  answers = await startAnswerProxy(configMaps.credentials);
});
afterEach(async () => {
  await reflected.stop();
  await proxy.stop();
  await answers.stop();
  await configMaps.clear();
});

const create = (value: string) => configMaps.create(value);
const update = (...change: Parameters<ConfigMaps['update']>) => configMaps.update(...change);
const remove = (...doomed: Parameters<ConfigMaps['remove']>) => configMaps.remove(...doomed);
const restarts = (reason: string) => reflected.restarts(reason);
const equalsFreshList = (limitMs: number) => reflected.equalsFreshList(limitMs);

async function reflect(by: 'tcp' | 'http', limits: Partial<TransportLimits> = {}): Promise<void> {
  const credentials = by === 'tcp' ? configMaps.through(proxy.port) : answers.credentials;
  reflected = await reflectConfigMaps(configMaps, { credentials, limits });
}

/** Creates, changes and deletes: what every fault must not hide. */
async function commotion(): Promise<void> {
  const [a, b, c] = [await create('a1'), await create('b1'), await create('c1')];
  await update(a, 'a2');
  await remove(b);
  await update(c, 'c2');
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
    answers.answer = ({ url }) => (url.includes('sendInitialEvents') ? { status: 422 } : undefined);
    await reflect('http');
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
    await until(() => restarts('network'), { what: 'the cut', limitMs: 15_000 });
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
    await until(() => reflected.reflector.trouble(), { what: 'the trouble', limitMs: 15_000 });
    await commotion();
    answers.answer = () => undefined;
    answers.line = (line) => line;
    await equalsFreshList(4_000);
    expect(reflected.reflector.trouble()).toBeUndefined();
  });

  it('reads everything again after a bookmark that goes backwards, within 2 s', async () => {
    await reflect('http');
    await commotion();
    await equalsFreshList(1_000);
    const before = await reflected.lists();
    const back = {
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: '3' } },
    };
    answers.line = (line) => `${line}\n${JSON.stringify(back)}`;
    await create('brings the bookmark with it');
    await until(async () => (await restarts('backwards')) > 0, { what: 'the restart', limitMs: 6_000 });
    answers.line = (line) => line;
    await commotion();
    await equalsFreshList(2_000);
    expect(await reflected.lists()).toBeGreaterThan(before);
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
    await until(() => reflected.reflector.store.size() === 2, { what: 'what was not lost', limitMs: 15_000 });
    expect(await reflected.reflector.audit()).toBe(2);
    await equalsFreshList(2_000);
    expect(await reflected.reflector.audit()).toBe(0);
  });

  it('tells a recreated object from a changed one by its UID', async () => {
    await reflect('tcp');
    const item = await create('first');
    await equalsFreshList(1_000);
    proxy.refuse();
    await remove(item);
    const { name, namespace } = item.metadata;
    const again = await configMaps.create('second', name);
    proxy.heal();
    await equalsFreshList(3_000);
    expect(reflected.reflector.store.get(`${namespace}/${name}`)?.uid).toBe(again.metadata.uid);
  });
});

describe('a reflector whose token ends', () => {
  it('reads its credentials again and misses nothing, within 5 s', async () => {
    const account = await configMaps.account();
    const tokens = [await account.token(), await account.token()];
    const through = (token: string) => ({
      server: `https://127.0.0.1:${proxy.port}`,
      headers: { authorization: `Bearer ${token}` },
      tls: { ca: configMaps.credentials.tls.ca ?? '' },
    });
    let current = tokens[0]?.value ?? '';
    const credentials = {
      get: () => Promise.resolve(through(current)),
      renew: () => {
        current = tokens[1]?.value ?? '';
        return Promise.resolve(through(current));
      },
    };
    reflected = await reflectConfigMaps(configMaps, { credentials });
    await tokens[0]?.revoke();
    await until(() => account.isRefused(current), { what: 'the API server refuses the old token', limitMs: 30_000 });
    proxy.reset();
    await commotion();
    await equalsFreshList(5_000);
    expect(current).toBe(tokens[1]?.value);
    await account.remove();
  });
});

const FOREIGN = 'the API server of a cluster that is not ours is not to be killed';
describe('a reflector of an API server that is restarted', onlyEmbedded(FOREIGN), () => {
  const serverAnswers = () =>
    until(() => configMaps.serverIsReady(), { what: 'the API server is back', limitMs: 60_000 });
  async function restart(): Promise<void> {
    if (embedded === undefined) throw new Error('no embedded cluster');
    await killComponent(embedded, 'apiserver');
    await startComponent(embedded, 'apiserver');
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
