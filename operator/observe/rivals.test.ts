import { describe, expect, it } from 'vitest';
import { NOON, samplePool } from '../core/state.fixture.ts';
import { keyOf } from '../kube/resources.ts';
import { createStore } from '../kube/store.ts';
import type { PoolObject } from './cluster.ts';
import type { PoolRedis } from './queue/pool-redis.ts';
import { findRivals, QUEUE_INDEX, QueueDirectory, queueIndex } from './rivals.ts';

const queue = { prefix: 'bull', name: 'jobs' };

function directoryOf(urls: Readonly<Record<string, string>>): QueueDirectory {
  const queues = new QueueDirectory();
  for (const [key, url] of Object.entries(urls)) queues.enter(key, { url: url, queue: queue });
  return queues;
}

describe('pools on one queue', () => {
  it('know each other although their Secrets spell the same Redis differently', () => {
    const others = (url: string) =>
      directoryOf({ 'a/one': 'redis://redis.a.svc:6379', 'b/two': url }).othersBeside('a/one');
    for (const url of [
      'redis://:secret@redis.a.svc/0',
      'redis://REDIS.a',
      'rediss://user@redis.a.svc.cluster.local.:6379?db=0',
    ]) {
      expect(others(url)).toEqual(['b/two']);
    }
    for (const url of ['redis://redis', 'redis://redis.b.svc', 'redis://redis.a.example', 'redis://redis.a:6380']) {
      expect(others(url)).toEqual([]);
    }
  });

  it('are strangers on another queue, prefix, database or server', () => {
    const queues = directoryOf({ 'a/one': 'redis://redis:6379' });
    queues.enter('a/2', { url: 'redis://redis:6379', queue: { ...queue, name: 'other' } });
    queues.enter('a/3', { url: 'redis://redis:6379', queue: { ...queue, prefix: 'x' } });
    queues.enter('a/4', { url: 'redis://redis:6379/1', queue: queue });
    queues.enter('a/5', { url: 'redis://other:6379', queue: queue });
    expect(queues.othersBeside('a/one')).toEqual([]);
  });

  it('know each other although their Secrets have two names of one Redis, once it says who it is', () => {
    const queues = directoryOf({ 'a/one': 'redis://redis.a', 'a/two': 'redis://10.0.0.7' });
    expect(queues.othersBeside('a/one')).toEqual([]);
    queues.enter('a/one', { url: 'redis://redis.a', queue: queue, server: 'run-1' });
    queues.enter('a/two', { url: 'redis://10.0.0.7', queue: queue, server: 'run-1' });
    queues.enter('a/three', { url: 'redis://10.0.0.8', queue: queue, server: 'run-2' });
    queues.enter('a/four', { url: 'redis://10.0.0.7/1', queue: queue, server: 'run-1' });
    expect(queues.othersBeside('a/one')).toEqual(['a/two']);
    expect(queues.forget('a/two')).toEqual(['a/one']);
    expect(queues.othersBeside('a/one')).toEqual([]);
  });

  it('hear when the queue is free again', () => {
    const queues = directoryOf({ 'a/one': 'redis://redis', 'a/two': 'redis://redis' });
    expect(queues.forget('a/one')).toEqual(['a/two']);
    expect(queues.forget('a/one')).toEqual([]);
    expect(queues.othersBeside('a/two')).toEqual([]);
  });

  it('are told when another one comes to their queue or leaves it, and of nothing else', () => {
    const told: string[] = [];
    const queues = new QueueDirectory((key) => told.push(key));
    const tellsOf = (change: () => void) => {
      told.length = 0;
      change();
      return [...told];
    };
    expect(tellsOf(() => queues.enter('a/one', { url: 'redis://redis', queue }))).toEqual([]);
    expect(tellsOf(() => queues.enter('a/two', { url: 'redis://redis', queue }))).toEqual(['a/one']);
    expect(tellsOf(() => queues.enter('a/two', { url: 'redis://redis', queue }))).toEqual([]);
    expect(tellsOf(() => queues.enter('a/two', { url: 'redis://other', queue }))).toEqual(['a/one']);
    expect(tellsOf(() => queues.enter('a/two', { url: 'redis://redis', queue }))).toEqual(['a/one']);
    expect(tellsOf(() => queues.leave('a/one'))).toEqual(['a/two']);
    expect(tellsOf(() => queues.leave('a/one'))).toEqual([]);
  });

  it('ask a namesake that has slept so far who its server is', () => {
    const told: string[] = [];
    const queues = new QueueDirectory((key) => told.push(key));
    queues.enter('a/one', { url: 'redis://redis.a', queue });
    queues.enter('a/two', { url: 'redis://10.0.0.7', queue, server: 'run-1' }, ['a/one']);
    expect(told).toEqual(['a/one']);
    queues.enter('a/one', { url: 'redis://redis.a', queue, server: 'run-1' }, ['a/two']);
    expect(told).toEqual(['a/one', 'a/two']);
  });

  it('leave the old queue when their Secret names another Redis, none, or nothing that is a URL', () => {
    const queues = directoryOf({ 'a/one': 'redis://redis', 'a/two': 'redis://redis' });
    queues.enter('a/one', { url: 'redis://other', queue: queue });
    expect(queues.othersBeside('a/two')).toEqual([]);
    queues.enter('a/one', { url: 'redis://redis', queue: queue });
    expect(queues.othersBeside('a/two')).toEqual(['a/one']);
    queues.enter('a/one', { url: 'nonsense', queue: queue });
    expect(queues.othersBeside('a/two')).toEqual([]);
    queues.leave('a/two');
    expect(queues.knows('a/two')).toBe(true);
    expect(queues.othersBeside('a/one')).toEqual([]);
  });
});

function poolObject(name: string, queueName: string): PoolObject {
  const sample = samplePool();
  const pool = {
    ...sample,
    name,
    uid: name,
    spec: { ...sample.spec, queue: { ...sample.spec.queue, name: queueName } },
  };
  const { namespace, uid, resourceVersion, generation } = pool;
  const identity = { namespace, name, uid, resourceVersion };
  return { ...identity, generation, createdAt: NOON, intentKey: '', parsed: { ok: true, pool } };
}

it('a new leader that meets one pool first looks for the others on its queue, each once', async () => {
  const objects = [poolObject('first', 'shared'), poolObject('second', 'shared'), poolObject('third', 'other')];
  const store = createStore<PoolObject>({ [QUEUE_INDEX]: queueIndex });
  for (const object of objects) store.set(object);
  const asked: string[] = [];
  const secrets = {
    read: async (key: string) => {
      asked.push(key);
      return { ok: true, url: 'redis://redis', version: 'uid/1' } as const;
    },
  };
  const identified: string[] = [];
  const redis = {
    open: () => ({ ok: true }) as PoolRedis,
    identify: (key: string) => Promise.resolve(void identified.push(key)),
  };
  const parts = { pools: { store }, secrets, redis, queues: new QueueDirectory() };
  const first = objects[0]?.parsed;
  if (first?.ok !== true) throw new Error('the sample pool cannot be read');
  for (let pass = 0; pass < 3; pass += 1) {
    const rivals = await findRivals(parts, first.pool, 'redis://redis');
    expect(rivals).toEqual([{ namespace: 'agents', name: 'second', uid: 'second', createdAt: NOON }]);
  }
  expect(asked).toEqual([keyOf({ namespace: 'agents', name: 'second' })]);
});
