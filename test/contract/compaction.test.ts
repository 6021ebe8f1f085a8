// An API server that compacts its storage every second, and keeps no changes of config maps in memory: what is too old
// is really gone.
import type { KubeRequest } from '../../operator/kube/request.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listInPages } from '../../operator/kube/list.ts';
import type { KubeTransport } from '../../operator/kube/transport.ts';
import { killComponent, startComponent } from '../cluster/components.ts';
import { until } from '../cluster/until.ts';
import {
  type ConfigMap,
  ConfigMaps,
  configMapType,
  type Reflected,
  reflectConfigMaps,
} from '../fixtures/config-maps.ts';
import { embedded, onlyEmbedded } from '../fixtures/embedded-only.ts';
import { type FaultProxy, startFaultProxy } from '../fixtures/fault-proxy.ts';

const FOREIGN = 'the API server of a cluster that is not ours is not to be started with other flags';
const FORGETFUL = ['--etcd-compaction-interval=1s', '--watch-cache-sizes=configmaps#0'];

describe('an API server that forgets every second', onlyEmbedded(FOREIGN), () => {
  let configMaps: ConfigMaps;
  let proxy: FaultProxy;
  let reflected: Reflected | undefined;

  async function restart(flags: readonly string[]): Promise<void> {
    if (embedded === undefined) throw new Error('no embedded cluster');
    await killComponent(embedded, 'apiserver');
    await startComponent(embedded, 'apiserver', flags);
    await until(() => configMaps.serverIsReady(), { what: 'the API server is back', limitMs: 60_000 });
  }
  const untilForgotten = (version: string) =>
    until(() => configMaps.isForgotten(version), {
      what: `version ${version} is compacted`,
      limitMs: 120_000,
      everyMs: 250,
    });

  beforeAll(async () => {
    configMaps = await ConfigMaps.connect('compaction');
    await restart(FORGETFUL);
    proxy = await startFaultProxy(configMaps.server());
  });
  afterEach(async () => {
    await reflected?.stop();
    reflected = undefined;
    await configMaps.clear();
  });
  afterAll(async () => {
    await proxy.stop();
    await restart([]);
    await configMaps.close();
  });

  it('makes a reflector that was away list again (410), and within 5 s it misses nothing', async () => {
    reflected = await reflectConfigMaps(configMaps, { credentials: configMaps.through(proxy.port) });
    const doomed = await configMaps.create('deleted while nobody looks');
    await reflected.equalsFreshList(5_000);
    const before = await reflected.lists();
    proxy.refuse();
    await configMaps.remove(doomed);
    const changed = await configMaps.create('made while nobody looks');
    await untilForgotten(changed.metadata.resourceVersion);
    proxy.heal();
    await reflected.equalsFreshList(5_000);
    expect(await reflected.restarts('gone')).toBeGreaterThanOrEqual(1);
    expect(await reflected.lists()).toBeGreaterThan(before);
  });

  it('makes a list whose pages are gone (410) begin again, and it gives each object once', async () => {
    let last: ConfigMap | undefined;
    for (let i = 0; i < 5; i += 1) last = await configMaps.create('one of five');
    const version = last?.metadata.resourceVersion ?? '';
    let waits = true;
    const request = async <T>(one: KubeRequest): Promise<T> => {
      if (one.query?.['continue'] !== undefined && waits) {
        waits = false;
        await untilForgotten(version);
      }
      return configMaps.direct.request<T>(one);
    };
    const slow: KubeTransport = { ...configMaps.direct, request };
    const scope = { namespace: 'default', labelSelector: `test=${configMaps.label}`, pageSize: 2 };
    let names: string[] = [];
    let restarts = 0;
    await listInPages(
      { transport: slow, type: configMapType, scope },
      {
        take: (item) => void names.push((item as ConfigMap).metadata.name),
        restart: () => {
          restarts += 1;
          names = [];
        },
      },
    );
    expect(restarts).toBeGreaterThanOrEqual(1);
    expect(names.toSorted()).toEqual((await configMaps.list()).map(({ metadata }) => metadata.name).toSorted());
  });
});
