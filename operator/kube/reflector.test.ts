import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { soon } from '../../test/fixtures/soon.ts';
import { FakeKubeApi, sendStatus, type Thing, things } from '../../test/fixtures/fake-kube-api.ts';
import { type Logger, silentLogger } from './log.ts';
import { createKubeMetrics } from './metrics.ts';
import { createReflector, type Reflector, type ReflectorTimings } from './reflector.ts';
import type { Change, Projected } from './store.ts';
import { createTransport, type KubeTransport } from './transport.ts';

type View = Projected & { value: number };
const project = (raw: unknown): View => {
  const { metadata, value } = raw as Thing;
  return { ...metadata, value };
};

const timings: Partial<ReflectorTimings> = {
  backoff: { baseMs: 5, maxMs: 20 },
  listLimitMs: 1_000,
  auditConfirmMs: 50,
};

let api: FakeKubeApi;
let transport: KubeTransport;
let registry: Registry;
let reflector: Reflector<View>;
let changes: string[];
let stop: AbortController;

beforeEach(async () => {
  api = await new FakeKubeApi().start();
  registry = new Registry();
  changes = [];
  stop = new AbortController();
});
afterEach(async () => {
  await reflector.stop();
  await transport.close();
  await api.stop();
});

type Tweaks = Partial<Parameters<typeof createReflector<View>>[0]> & { inactivityMs?: number };

function reflect({ inactivityMs = 60_000, ...options }: Tweaks = {}): Reflector<View> {
  transport = createTransport({
    credentials: api.credentials(),
    limits: { inactivityMs, retryBaseMs: 1, retryMaxMs: 5 },
  });
  const onChange = (change: Change<View>) => {
    const { name, value } = change.kind === 'deleted' ? change.previous : change.current;
    changes.push(`${change.kind} ${name}=${value}`);
  };
  const metrics = createKubeMetrics(registry);
  reflector = createReflector<View>({ transport, type: things, project, onChange, timings, metrics, ...options });
  return reflector;
}

const contents = () =>
  Object.fromEntries(reflector.store.list().map((item) => [`${item.namespace}/${item.name}`, item.value]));
const settled = () => soon(() => expect(contents()).toEqual(api.contents()));
const watching = () => soon(() => expect(api.watches.length).toBeGreaterThan(0));
const lists = () => api.requests.filter(({ url }) => !url.searchParams.has('resourceVersion')).length;
async function restarts(reason: string): Promise<number> {
  const metric = await registry.getSingleMetric('reflector_watch_restarts_total')?.get();
  return metric?.values.find((value) => value.labels.reason === reason)?.value ?? -1;
}
const watchNow = () => {
  const watch = api.watches.at(-1);
  if (!watch) throw new Error('no watch is open');
  return watch;
};

describe('a reflector', () => {
  it('holds what was there, and follows what is added, changed and deleted, on one request', async () => {
    api.put('a', 1);
    api.put('b', 1);
    await reflect().start(stop.signal);
    expect(contents()).toEqual({ 'default/a': 1, 'default/b': 1 });
    api.put('c', 1);
    api.put('a', 2);
    api.remove('b');
    await settled();
    expect(changes).toEqual(['added a=1', 'added b=1', 'added c=1', 'updated a=2', 'deleted b=1']);
    expect(api.requests).toHaveLength(1);
    expect(api.requests[0]?.url.searchParams.get('allowWatchBookmarks')).toBe('true');
  });

  it('reads pages and then watches where the server has no streamed lists', async () => {
    api.streamsLists = false;
    for (let i = 0; i < 1_203; i += 1) api.put(`thing-${i}`, i);
    await reflect().start(stop.signal);
    expect(reflector.store.size()).toBe(1_203);
    await watching();
    api.put('later', 1);
    await settled();
    expect(api.requests.filter(({ watch }) => !watch)).toHaveLength(3);
  });

  it('reads pages where the server promises a streamed list and then fails with an old etcd', async () => {
    api.intercept = ({ url, response }) => {
      if (!url.searchParams.has('sendInitialEvents')) return false;
      const object = { kind: 'Status', code: 500, message: 'RequestWatchProgress is disabled' };
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      return true;
    };
    api.put('a', 1);
    await reflect().start(stop.signal);
    expect(contents()).toEqual({ 'default/a': 1 });
  });

  it('reads pages where the streamed list never ends', async () => {
    api.intercept = ({ url }) => url.searchParams.has('sendInitialEvents');
    api.put('a', 1);
    await reflect({ timings: { ...timings, listLimitMs: 50 } }).start(stop.signal);
    expect(contents()).toEqual({ 'default/a': 1 });
  });

  it('starts the list again when its version expires in the middle', async () => {
    api.streamsLists = false;
    for (let i = 0; i < 1_203; i += 1) api.put(`thing-${i}`, i);
    let expired = 0;
    api.intercept = ({ url, response }) => {
      if (url.searchParams.get('continue') !== '1000' || expired > 0) return false;
      expired += 1;
      api.remove('thing-0');
      sendStatus(response, 410, 'The provided continue parameter is too old');
      return true;
    };
    await reflect().start(stop.signal);
    expect(expired).toBe(1);
    expect(contents()).toEqual(api.contents());
    expect(contents()).not.toHaveProperty('default/thing-0');
  });

  it('lists again after an ERROR 410 inside the stream, and reports what was deleted meanwhile', async () => {
    api.put('a', 1);
    api.put('b', 1);
    await reflect().start(stop.signal);
    watchNow().mute();
    api.remove('b');
    api.put('a', 2);
    api.compact();
    watchNow().reset();
    await settled();
    expect(changes.slice(2)).toEqual(['deleted b=1', 'updated a=2']);
    expect(await restarts('gone')).toBe(1);
  });

  it('resumes from the last version when the connection is reset in the middle of a line', async () => {
    await reflect().start(stop.signal);
    api.put('a', 1);
    await settled();
    const before = lists();
    watchNow().raw('{"type":"ADDED","object":{"metadata":{"name":"half');
    watchNow().reset();
    api.put('b', 1);
    await settled();
    expect(lists()).toBe(before);
    expect(changes).toEqual(['added a=1', 'added b=1']);
  });

  it('notices a connection that went silent', async () => {
    await reflect({ inactivityMs: 300 }).start(stop.signal);
    watchNow().mute();
    api.put('a', 1);
    await settled();
    expect(await restarts('inactive')).toBeGreaterThan(0);
  });

  it.each([
    ['is no JSON', 'garbage\n'],
    ['has no object', '{"type":"ADDED"}\n'],
    ['has no version', '{"type":"ADDED","object":{"metadata":{"name":"x"}}}\n'],
    ['is of an unknown type', '{"type":"NEWS","object":{"metadata":{"resourceVersion":"999"}}}\n'],
  ])('opens the watch again when a line %s', async (_, line) => {
    await reflect().start(stop.signal);
    watchNow().raw(line);
    await soon(async () => expect(await restarts('malformed')).toBe(1));
    api.put('a', 1);
    await settled();
  });

  it('reads everything again when a bookmark goes backwards', async () => {
    api.put('a', 1);
    await reflect().start(stop.signal);
    const before = lists();
    watchNow().raw(api.bookmark(7));
    await soon(async () => expect(await restarts('backwards')).toBe(1));
    api.put('b', 1);
    await settled();
    expect(lists()).toBe(before + 1);
  });

  it('resumes from the version of the last bookmark when the server ends the watch', async () => {
    await reflect().start(stop.signal);
    api.put('a', 1);
    await settled();
    api.compact();
    watchNow().raw(api.bookmark());
    await soon(() => expect(reflector.hasReached('default', '102')).toBe(true));
    watchNow().end();
    await watching();
    api.put('b', 1);
    await settled();
    expect(await restarts('gone')).toBe(0);
  });

  it('takes nothing more from a watch that was given up for a fresh read', async () => {
    const line = (name: string, resourceVersion: string) => {
      const object = { metadata: { namespace: 'default', name, uid: name, resourceVersion }, value: 1 };
      return `${JSON.stringify({ type: 'ADDED', object })}\n`;
    };
    let refreshed: Promise<void> | undefined;
    const onChange = ({ current }: Change<View>) => {
      changes.push(current?.name ?? '');
      refreshed ??= reflector.refresh();
    };
    await reflect({ onChange }).start(stop.signal);
    watchNow().raw(line('first', '200') + line('ghost', '201'));
    await soon(() => expect(changes).toContain('first'));
    await refreshed;
    expect(changes).not.toContain('ghost');
  });

  it('tells an object that was deleted and made again from one that was changed', async () => {
    api.put('a', 1);
    await reflect().start(stop.signal);
    watchNow().mute();
    api.remove('a');
    api.put('a', 2);
    await reflector.refresh();
    expect(changes).toEqual(['added a=1', 'deleted a=1', 'added a=2']);
  });

  it('goes on when a handler throws, and with all other objects when one cannot be read', async () => {
    const onChange = () => {
      throw new Error('a handler with a fault');
    };
    const fragile = (raw: unknown) => {
      if ((raw as Thing).value === 666) throw new Error('unreadable');
      return project(raw);
    };
    api.put('a', 1);
    await reflect({ onChange, project: fragile }).start(stop.signal);
    api.put('a', 666);
    api.put('b', 1);
    await soon(() => expect(contents()).toEqual({ 'default/a': 1, 'default/b': 1 }));
    await reflector.refresh();
    expect(contents()).toEqual({ 'default/a': 1, 'default/b': 1 });
    expect(await reflector.audit()).toBe(0);
    const errors = await registry.getSingleMetric('reflector_handler_errors_total')?.get();
    expect(errors?.values.map(({ labels, value }) => [labels.stage, value > 0])).toEqual([
      ['project', true],
      ['change', true],
    ]);
  });

  it('watches only the namespaces that it was given', async () => {
    for (const namespace of ['one', 'two', 'three']) api.put('a', 1, namespace);
    await reflect({ namespaces: ['one', 'three'] }).start(stop.signal);
    expect(contents()).toEqual({ 'one/a': 1, 'three/a': 1 });
    api.put('b', 1, 'two');
    api.put('b', 1, 'three');
    await soon(() => expect(contents()).toEqual({ 'one/a': 1, 'three/a': 1, 'three/b': 1 }));
    api.remove('a', 'one');
    await soon(() => expect(contents()).toEqual({ 'three/a': 1, 'three/b': 1 }));
  });

  it('counts and repairs what the watch missed, and nothing that was only late', async () => {
    api.put('a', 1);
    await reflect().start(stop.signal);
    expect(await reflector.audit()).toBe(0);
    api.putUnseen('a', 2);
    api.putUnseen('b', 1);
    expect(await reflector.audit()).toBe(2);
    expect(contents()).toEqual(api.contents());
    expect(await reflector.audit()).toBe(0);
    const metric = await registry.getSingleMetric('reflector_relist_differences_total')?.get();
    expect(metric?.values[0]?.value).toBe(2);
  });

  it('says in the server’s words why it has nothing yet, and what to do, once, and starts when the cause is gone', async () => {
    api.intercept = ({ response }) => {
      sendStatus(response, 404, 'the server could not find the requested resource');
      return true;
    };
    const said: object[] = [];
    const log: Logger = { ...silentLogger, warn: (fields) => void said.push(fields) };
    const started = reflect({ log, unknownType: 'things are not installed' }).start(stop.signal);
    const words = /^things are not installed \(.*could not find the requested resource\)$/;
    await soon(() => expect(reflector.trouble()).toMatch(words));
    await soon(() => expect(api.requests.length).toBeGreaterThan(3));
    expect(said).toEqual([expect.objectContaining({ because: expect.stringMatching(words) })]);
    expect(reflector.synced()).toBe(false);
    api.intercept = () => false;
    api.put('a', 1);
    await started;
    expect(reflector.trouble()).toBeUndefined();
    expect(contents()).toEqual({ 'default/a': 1 });
  });

  it('ends a start that is no longer wanted', async () => {
    api.intercept = ({ response }) => {
      sendStatus(response, 503, 'not yet');
      return true;
    };
    const started = reflect().start(stop.signal);
    stop.abort(new Error('stopping'));
    await expect(started).rejects.toThrow('not read before the end');
  });

  it('knows how far it has come', async () => {
    await reflect().start(stop.signal);
    const { resourceVersion } = api.put('a', 1).metadata;
    expect(await reflector.waitFor({ namespace: 'default', resourceVersion }, { timeoutMs: 2_000 })).toBe(true);
    expect(reflector.store.get('default/a')?.value).toBe(1);
    expect(await reflector.waitFor({ namespace: 'default', resourceVersion: '9999' }, { timeoutMs: 20 })).toBe(false);
  });
});
