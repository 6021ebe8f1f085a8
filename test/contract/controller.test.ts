// Reflector, queue and controller together, on the real API server behind a connection that is spoiled.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKubeClient } from '../../operator/kube/client.ts';
import { silentLogger } from '../../operator/kube/log.ts';
import { keyOf, refOf } from '../../operator/kube/resources.ts';
import { createTransport, type KubeTransport } from '../../operator/kube/transport.ts';
import { hasReached } from '../../operator/kube/versions.ts';
import { type Controller, createController } from '../../operator/loop/controller.ts';
import { createOwnWrites } from '../../operator/loop/own-writes.ts';
import { until } from '../cluster/until.ts';
import {
  type ConfigMap,
  ConfigMaps,
  configMapType,
  type Reflected,
  reflectConfigMaps,
} from '../fixtures/config-maps.ts';
import { type FaultProxy, startFaultProxy } from '../fixtures/fault-proxy.ts';

let configMaps: ConfigMaps;
let proxy: FaultProxy;
let reflected: Reflected;
let controller: Controller;

beforeAll(async () => {
  configMaps = await ConfigMaps.connect('controller');
});
afterAll(() => configMaps.close());
beforeEach(async () => {
  proxy = await startFaultProxy(configMaps.server());
});
afterEach(async () => {
  await controller.stop();
  await reflected.stop();
  await proxy.stop();
  await configMaps.clear();
});

const seen = (key: string) => reflected.reflector.store.get(key)?.resourceVersion;
const isIdle = () => controller.queue.size() === 0 && controller.queue.running().size === 0;

async function reflectInto(): Promise<void> {
  reflected = await reflectConfigMaps(configMaps, {
    credentials: configMaps.through(proxy.port),
    limits: { inactivityMs: 1_000 },
    onChange: ({ previous, current }) => {
      const changed = current ?? previous;
      if (changed) controller.enqueue(keyOf(changed));
    },
  });
  controller.start();
}

describe('a controller of the real API server', () => {
  it('ends with a pass over the last state of every object, one at a time for each, whatever spoils its watch', async () => {
    const last = new Map<string, string | undefined>();
    const running = new Set<string>();
    const overlaps: string[] = [];
    let passes = 0;
    controller = createController({
      name: 'contract',
      backoff: { baseMs: 5, maxMs: 50 },
      log: silentLogger,
      reconcile: async (key) => {
        if (running.has(key)) overlaps.push(key);
        running.add(key);
        const version = seen(key);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running.delete(key);
        passes += 1;
        if (passes % 7 === 0) throw new Error('every seventh pass fails');
        last.set(key, version);
        return undefined;
      },
    });
    await reflectInto();
    const items: ConfigMap[] = [];
    for (let i = 0; i < 8; i += 1) items.push(await configMaps.create('first'));
    for (const spoil of [proxy.reset, proxy.swallow, () => proxy.cutAfter(700), () => proxy.delay(50), proxy.refuse]) {
      spoil();
      for (const [i, item] of items.entries())
        items[i] = await configMaps.update(item, `after ${item.metadata.resourceVersion}`);
      const doomed = items.shift();
      if (doomed) await configMaps.remove(doomed);
      items.push(await configMaps.create('another'));
      proxy.heal();
    }
    await reflected.equalsFreshList(5_000);
    await until(isIdle, { what: 'the queue is empty', limitMs: 60_000 });
    const expected = Object.fromEntries(items.map((item) => [keyOf(item.metadata), item.metadata.resourceVersion]));
    for (const key of last.keys()) expected[key] ??= undefined as never;
    expect(Object.fromEntries(last)).toEqual(expected);
    expect(last.size).toBe(13);
    expect(overlaps).toEqual([]);
  });

  it('never acts on a store that is older than its own last write, however late the watch is', async () => {
    const ownWrites = createOwnWrites({ log: silentLogger });
    const credentials = {
      get: () => Promise.resolve(configMaps.credentials),
      renew: () => Promise.resolve(configMaps.credentials),
    };
    const transport: KubeTransport = createTransport({ credentials });
    const client = createKubeClient({ transport, onWritten: ownWrites.onWritten });
    const wrote = new Map<string, string>();
    const stale: string[] = [];
    const writesWanted = 4;
    let writes = 0;
    controller = createController({
      name: 'contract',
      log: silentLogger,
      ownWrites,
      reconcile: async (key) => {
        const resourceVersion = seen(key);
        if (resourceVersion === undefined) return undefined;
        const before = wrote.get(key);
        if (before !== undefined && !hasReached(resourceVersion, before))
          stale.push(`${key}: ${resourceVersion} after ${before}`);
        if (writes >= writesWanted) return undefined;
        writes += 1;
        const body = { metadata: { ...refOf(key), resourceVersion }, data: { value: `write ${writes}` } };
        const { metadata } = await client.mergePatch<ConfigMap>(configMapType, body);
        wrote.set(key, metadata.resourceVersion);
        // looks again at once, before any watch can have told of it
        return { recheckAfterMs: 1 };
      },
    });
    await reflectInto();
    ownWrites.watch(reflected.reflector);
    proxy.delay(200);
    await configMaps.create('first');
    await until(() => writes === writesWanted && isIdle(), { what: 'all writes', limitMs: 60_000 });
    expect(stale).toEqual([]);
    await transport.close();
  });
});
