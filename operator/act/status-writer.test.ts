import { describe, expect, it } from 'vitest';
import { API_GROUP, API_VERSION, KIND, PLURAL } from '../api/names.ts';
import type { PoolStatus } from '../api/pool.ts';
import { decide } from '../core/decide.ts';
import type { PoolEvent } from '../core/pool-event.ts';
import { samplePool, stateOf } from '../core/state.fixture.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorFromAnswer, KubeError } from '../kube/errors.ts';
import { type Statement, StatusWriter } from './status-writer.ts';

const { namespace, name, uid, resourceVersion } = samplePool();
const type = { group: API_GROUP, version: API_VERSION, plural: PLURAL, kind: KIND, namespaced: true } as const;
const target = { type, namespace, name, uid, resourceVersion };
const statusWith = (ready: number): PoolStatus => decide(stateOf({ replicas: 2, queue: { ready } })).status;
const SICK: PoolEvent = { type: 'Warning', reason: 'ReplicaCrashes', action: 'CheckHealth', note: 'pod-0 crashes' };

const before = statusWith(6);
/** Another number alone, and another wanted number. */
const numbers: Statement = { before, next: statusWith(7), events: [] };
const wanted: Statement = { before, next: statusWith(60), events: [] };
const news: Statement = { ...wanted, events: [SICK] };

const conflict = errorFromAnswer({ method: 'PUT', path: '/x', status: 409, text: '{"kind":"Status"}' });
const lost = new KubeError({ status: 0, reason: 'Timeout', message: 'PUT /x: no answer within 30 s' });

/** One whose writes end like these, and then well. */
function writerThat({ fails = [], crowded = false }: { fails?: readonly Error[]; crowded?: boolean } = {}) {
  const world = { now: 0, crowded, fails: [...fails], stored: [] as unknown[], told: [] as string[], asked: 0 };
  const replaceStatus = (_type: unknown, { status }: { status: PoolStatus }) => {
    const error = world.fails.shift();
    if (error !== undefined) return Promise.reject(error);
    world.stored.push(status);
    return Promise.resolve({});
  };
  const writer = new StatusWriter({
    client: { replaceStatus } as unknown as KubeClient,
    reporter: {
      wrote: () => undefined,
      events: (_pool, events) => void world.told.push(...events.map(({ reason }) => reason)),
    },
    now: () => world.now,
    enqueue: () => void (world.asked += 1),
    crowded: () => world.crowded,
  });
  return { world, write: (statement: Statement) => writer.write(target, statement) };
}

describe('the status of a pool', () => {
  it('is written at once when what it says is new, and with it its events are told', async () => {
    const { world, write } = writerThat();
    expect(await write(news)).toEqual({ kind: 'written' });
    expect([world.stored, world.told]).toEqual([[news.next], ['ReplicaCrashes']]);
  });

  it('says once what was applied at zero, where the definition of the resource is older and drops it', async () => {
    const { world, write } = writerThat();
    const { deployment, ...dropped } = decide(stateOf()).status;
    const statement: Statement = { before: dropped, next: { ...dropped, deployment: deployment! }, events: [] };
    expect(deployment).toBeDefined();
    expect(await write(statement)).toEqual({ kind: 'written' });
    world.now = 60_000;
    expect(await write(statement)).toEqual({ kind: 'kept', dueInMs: undefined });
  });

  it('waits ten seconds from the last one where only numbers are new, and not where an event is told of them', async () => {
    const { world, write } = writerThat();
    await write(wanted);
    world.now = 4_000;
    expect(await write(numbers)).toEqual({ kind: 'kept', dueInMs: 6_000 });
    world.now = 10_000;
    expect(await write(numbers)).toEqual({ kind: 'written' });
    world.now = 11_000;
    expect(await write({ ...numbers, events: [SICK] })).toEqual({ kind: 'written' });
    expect(world.told).toEqual(['ReplicaCrashes']);
  });

  it('that says what was written before is not written', async () => {
    const { world, write } = writerThat();
    expect(await write({ before, next: before, events: [] })).toEqual({ kind: 'kept', dueInMs: undefined });
    expect(world.stored).toEqual([]);
  });
});

describe('while other pools wait for their replicas', () => {
  it('waits, with its events, and is looked at again in a second; afterwards they are told once', async () => {
    const { world, write } = writerThat({ crowded: true });
    for (let pass = 0; pass < 3; pass += 1) expect(await write(news)).toEqual({ kind: 'kept', dueInMs: 1_000 });
    expect([world.stored, world.told]).toEqual([[], []]);
    world.crowded = false;
    await write(news);
    expect([world.stored.length, world.told]).toEqual([1, ['ReplicaCrashes']]);
  });

  it('is due no earlier than it would be without them', async () => {
    const { world, write } = writerThat();
    await write(wanted);
    world.crowded = true;
    expect(await write(numbers)).toEqual({ kind: 'kept', dueInMs: 10_000 });
    expect(await write({ before, next: before, events: [] })).toEqual({ kind: 'kept', dueInMs: undefined });
  });

  it('does not wait when it is the first, or counts a retry', async () => {
    const { world, write } = writerThat({ crowded: true });
    await write({ ...news, before: undefined });
    await write({ ...wanted, next: { ...wanted.next, restarts: { ...wanted.next.restarts, used: 1 } as never } });
    expect(world.stored).toHaveLength(2);
  });
});

describe('a write that does not succeed', () => {
  it('because the pool has changed asks for another pass, and tells nothing before one is written', async () => {
    const { world, write } = writerThat({ fails: [conflict, conflict] });
    expect(await write(news)).toEqual({ kind: 'conflict' });
    expect(await write(news)).toEqual({ kind: 'conflict' });
    expect([world.asked, world.told]).toEqual([2, []]);
    await write(news);
    expect(world.told).toEqual(['ReplicaCrashes']);
  });

  it('is no last write, by which numbers would wait', async () => {
    const { write } = writerThat({ fails: [lost] });
    await expect(write(numbers)).rejects.toBe(lost);
    expect(await write(numbers)).toEqual({ kind: 'written' });
  });

  it('but did not arrive is told of by the next one, once', async () => {
    const { world, write } = writerThat({ fails: [lost] });
    await expect(write(news)).rejects.toBe(lost);
    expect(world.told).toEqual([]);
    await write(news);
    await write({ before: news.next, next: news.next, events: [] });
    expect(world.told).toEqual(['ReplicaCrashes']);
  });

  it.each([
    ['its answer was lost', [lost]],
    ['its repetition met a conflict', [conflict]],
    ['the next ones were made of what was read before it', [lost, conflict, conflict]],
  ])('but has arrived is told of once when the pool says so: %s', async (_what, fails) => {
    const { world, write } = writerThat({ fails });
    for (const [i] of fails.entries()) {
      await write({ ...news, next: i === 0 ? news.next : statusWith(70 + i) }).catch(() => undefined);
    }
    expect(world.told).toEqual([]);
    for (let pass = 0; pass < 2; pass += 1) await write({ before: news.next, next: news.next, events: [] });
    expect(world.told).toEqual(['ReplicaCrashes']);
  });
});
