import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PoolRedis } from '../../operator/observe/queue/pool-redis.ts';
import { RedisAccessRegistry } from '../../operator/observe/queue/redis-access.ts';
import type { WatchPace } from '../../operator/observe/queue/wake.ts';
import { until } from '../cluster/until.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let server: RedisServer;
let root: Redis;
let woken: { poolKey: string; at: number }[];
let listeners: ((poolKey: string) => void)[];

beforeEach(async () => {
  woken = [];
  listeners = [];
  server = await startRedis({ appendonly: true });
  cleanups.push(() => server.stop());
  root = new Redis(server.url);
  root.on('error', () => {});
  cleanups.push(() => root.disconnect());
});

const newRegistry = (waker: { blockMs?: number; restMs?: number } = {}) => {
  const registry = new RedisAccessRegistry({
    now: Date.now,
    waker,
    onWake: (poolKey) => {
      woken.push({ poolKey, at: performance.now() });
      for (const listener of listeners) listener(poolKey);
    },
  });
  cleanups.push(() => registry.close());
  return registry;
};

/** A pool as its loop treats it: reads, and blocks from what it read. */
class PoolUnderTest {
  readonly key: string;
  readonly name: string;
  readonly queue: Queue;
  readonly redis: PoolRedis;

  constructor(registry: RedisAccessRegistry, name: string, url = server.url) {
    this.key = `ns/${name}`;
    this.name = name;
    const opened = registry.open(this.key, { url, queue: { prefix: 'bull', name }, commandsPerMinute: 1e9 });
    if (!opened.ok) throw new Error(opened.because);
    this.redis = opened;
    this.queue = new Queue(name, {
      connection: { host: server.host, port: server.port, retryStrategy: () => 50 },
    });
    this.queue.on('error', () => {});
    cleanups.push(() => this.queue.close());
  }

  /** Returns how many jobs wait at the moment from which on it is watched. */
  async watch(pace: WatchPace = 'instant'): Promise<number> {
    const { depth } = await this.redis.read({ fresh: true });
    if (!depth.ok) throw new Error(depth.because);
    this.redis.watch(depth.value.tip, pace);
    return depth.value.waiting + depth.value.prioritized + depth.value.delayed;
  }

  readonly wakes = () => woken.filter(({ poolKey }) => poolKey === this.key).length;
}

const blockedClients = async () => Number(/blocked_clients:(\d+)/.exec(await root.info('clients'))?.[1]);
const untilBlocked = (count = 1) =>
  until(async () => (await blockedClients()) === count, { what: `${count} reads block`, limitMs: 30_000, everyMs: 5 });
const untilWoken = (pool: PoolUnderTest, count: number, limitMs = 10_000) =>
  until(() => pool.wakes() >= count, { what: `${pool.key} is woken`, limitMs, everyMs: 1 });

const quantile = (sorted: readonly number[], share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? NaN;

describe('a pool at zero', () => {
  it('is woken by each of 300 jobs, none missed, within milliseconds', async () => {
    const pool = new PoolUnderTest(newRegistry(), 'q');
    const times: number[] = [];
    let seen = await pool.watch();
    for (let added = 1; added <= 300; added += 1) {
      // Every second job comes while nobody blocks yet, right after the reading.
      if (added % 2 === 0) await untilBlocked();
      const kind = [{}, { priority: 3 }, { delay: 60_000 }, { lifo: true }][added % 4];
      const started = performance.now();
      await pool.queue.add('job', {}, kind);
      await untilWoken(pool, added);
      times.push((woken.at(-1)?.at ?? NaN) - started);
      seen = await pool.watch();
      expect(seen).toBe(added);
    }
    expect(pool.wakes()).toBe(300);
    times.sort((a, b) => a - b);
    console.log(
      `wake of 300 adds: p50 ${quantile(times, 0.5).toFixed(2)} ms, p99 ${quantile(times, 0.99).toFixed(2)} ms`,
    );
    expect(quantile(times, 0.5)).toBeLessThan(3 * 100);
    expect(quantile(times, 1)).toBeLessThan(3 * 1_000);
  });

  it('sees every job of a neighbour burst, however its wakes and its readings interleave', async () => {
    const registry = newRegistry();
    const pools = Array.from({ length: 20 }, (_, index) => new PoolUnderTest(registry, `q${index}`));
    const known = new Map<string, number>();
    const look = async (pool: PoolUnderTest) => void known.set(pool.key, await pool.watch());
    listeners.push((poolKey) => void look(pools.find(({ key }) => key === poolKey) as PoolUnderTest));
    await Promise.all(pools.map(look));
    // Nobody polls: whatever a pool knows at the end, it knows from wakes.
    const adding = pools.map(async ({ queue }, index) => {
      for (let added = 0; added < 20; added += 1) {
        await queue.add('job', {});
        if ((added + index) % 3 === 0) await new Promise((resolve) => setTimeout(resolve, (added * 7 + index) % 5));
      }
    });
    await Promise.all(adding);
    await until(() => pools.every(({ key }) => known.get(key) === 20), { what: 'all is seen' });
  });

  it('is woken when the queue is resumed', async () => {
    const pool = new PoolUnderTest(newRegistry(), 'q');
    await pool.queue.pause();
    await pool.watch();
    await untilBlocked();
    await pool.queue.resume();
    await untilWoken(pool, 1);
  });

  it('is heard at once when it joins while others are waited for', async () => {
    const registry = newRegistry();
    const first = new PoolUnderTest(registry, 'first');
    await first.watch();
    await untilBlocked();
    const times: number[] = [];
    for (let index = 0; index < 20; index += 1) {
      const pool = new PoolUnderTest(registry, `later${index}`);
      await pool.watch();
      const started = performance.now();
      await pool.queue.add('job', {});
      await untilWoken(pool, 1);
      times.push(performance.now() - started);
    }
    console.log(`joined while blocked: worst ${Math.max(...times).toFixed(1)} ms`);
    expect(Math.max(...times)).toBeLessThan(3 * 1_000);
    expect(first.wakes()).toBe(0);
    await first.queue.add('job', {});
    await untilWoken(first, 1);
  });

  it('that left is not woken, and the read ends with the last pool', async () => {
    const registry = newRegistry({ blockMs: 200 });
    const [gone, here] = [new PoolUnderTest(registry, 'gone'), new PoolUnderTest(registry, 'here')];
    await gone.watch();
    await here.watch();
    await untilBlocked();
    gone.redis.unwatch();
    await gone.queue.add('job', {});
    await here.queue.add('job', {});
    await untilWoken(here, 1);
    expect(gone.wakes()).toBe(0);
    await untilBlocked(0);
  });

  it('is left out for its rest after an event that changed nothing, and hears afterwards what came meanwhile', async () => {
    const pool = new PoolUnderTest(newRegistry({ restMs: 400 }), 'q');
    await pool.watch();
    await pool.queue.add('job', {});
    await untilWoken(pool, 1);
    await pool.watch();
    pool.redis.rest();
    const rested = performance.now();
    for (let index = 0; index < 20; index += 1) await pool.queue.add('job', {});
    await untilWoken(pool, 2);
    expect((woken.at(-1)?.at ?? 0) - rested).toBeGreaterThanOrEqual(395);
    expect(pool.wakes()).toBe(2);
  });

  it('takes no marker and no event from the workers', async () => {
    const pool = new PoolUnderTest(newRegistry(), 'q');
    await pool.watch();
    await untilBlocked();
    await pool.queue.add('job', {});
    await untilWoken(pool, 1);
    await pool.watch();
    await untilBlocked();
    expect(await root.zrange('bull:q:marker', '0', '-1')).toEqual(['0']);
    const events = await root.xrange('bull:q:events', '-', '+');
    expect(events.map(([, fields]) => fields[1])).toEqual(['added', 'waiting']);
  });
});

describe('a pool with replicas and no backlog', () => {
  it('is woken at most once a second, at once by the first event, and misses none', async () => {
    const pool = new PoolUnderTest(newRegistry(), 'q');
    let known = 0;
    listeners.push(() => void pool.watch('paced').then((count) => (known = count)));
    await pool.watch('paced');
    await untilBlocked();
    const started = performance.now();
    let added = 0;
    while (performance.now() - started < 3_300) {
      await pool.queue.add('job', {});
      added += 1;
    }
    await until(() => known === added, { what: 'all jobs are seen' });
    const times = woken.map(({ at }) => at - started);
    console.log(`paced: ${added} adds, ${times.length} wakes, first after ${times[0]?.toFixed(1)} ms`);
    expect(times[0]).toBeLessThan(3 * 500);
    for (let index = 1; index < times.length; index += 1) {
      expect((times[index] ?? 0) - (times[index - 1] ?? 0)).toBeGreaterThan(990);
    }
    expect(times.length).toBeGreaterThanOrEqual(3);
  });

  it('is heard at once beside one whose events never end, and that one costs ever fewer commands', async () => {
    const registry = newRegistry();
    const [busy, quiet] = [new PoolUnderTest(registry, 'busy'), new PoolUnderTest(registry, 'quiet')];
    listeners.push((poolKey) => void (poolKey === busy.key ? busy : quiet).watch('paced'));
    await busy.watch('paced');
    await quiet.watch('paced');
    await untilBlocked();
    const end = new AbortController();
    const traffic = (async () => {
      for (; !end.signal.aborted; await new Promise((resolve) => setTimeout(resolve, 20)))
        await busy.queue.add('job', {});
    })();
    const times: number[] = [];
    for (let round = 1; round <= 4; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1_500 + round * 130));
      const started = performance.now();
      await quiet.queue.add('job', {});
      await untilWoken(quiet, round);
      times.push((woken.findLast(({ poolKey }) => poolKey === quiet.key)?.at ?? NaN) - started);
    }
    end.abort();
    await traffic;
    console.log(`beside a busy pool: worst ${Math.max(...times).toFixed(1)} ms; it was woken ${busy.wakes()} times`);
    expect(Math.max(...times)).toBeLessThan(3 * 500);
    expect(busy.wakes()).toBeLessThanOrEqual(6);
  });

  it('does not slow down one at zero, and becomes as quick when it is at zero itself', async () => {
    const registry = newRegistry();
    const [paced, instant] = [new PoolUnderTest(registry, 'paced'), new PoolUnderTest(registry, 'instant')];
    await paced.watch('paced');
    await instant.watch();
    await untilBlocked(2);
    await paced.queue.add('job', {});
    await untilWoken(paced, 1);
    const started = performance.now();
    await instant.queue.add('job', {});
    await untilWoken(instant, 1);
    await paced.watch('paced');
    await paced.watch('instant');
    await paced.queue.add('job', {});
    await untilWoken(paced, 2);
    expect(performance.now() - started).toBeLessThan(900);
  });
});

describe('waking in trouble', () => {
  it.each([
    ['a restart of Redis that keeps its data', async () => server.restart()],
    [
      'a fail-over to an empty Redis',
      async () => {
        await root.flushall();
        await server.restart();
      },
    ],
    [
      'a cut of every connection',
      async () => void (await root.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')),
    ],
  ])('sends every watched pool to look after %s, and works on', async (_, trouble) => {
    const registry = newRegistry();
    const pools = [new PoolUnderTest(registry, 'a'), new PoolUnderTest(registry, 'b')];
    for (const pool of pools) {
      await pool.queue.add('job', {});
      await pool.watch(pool.name === 'a' ? 'instant' : 'paced');
    }
    await untilBlocked(2);
    await trouble();
    const back = performance.now();
    for (const pool of pools) await untilWoken(pool, 1, 5_000);
    expect(performance.now() - back).toBeLessThan(3_000);
    for (const pool of pools) {
      await until(
        () =>
          pool.watch().then(
            () => true,
            () => false,
          ),
        { what: 'Redis is read again' },
      );
      const before = pool.wakes();
      await pool.queue.add('job', {});
      await untilWoken(pool, before + 1);
    }
  });

  it('goes on by itself after Redis hung longer than a read blocks', async () => {
    const pool = new PoolUnderTest(newRegistry({ blockMs: 300 }), 'q');
    await pool.watch();
    await untilBlocked();
    await server.pause();
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect(pool.wakes()).toBe(0);
    await server.resume();
    await untilWoken(pool, 1, 5_000);
    await until(
      () =>
        pool.watch().then(
          () => true,
          () => false,
        ),
      { what: 'Redis is read again' },
    );
    const before = pool.wakes();
    await pool.queue.add('job', {});
    await untilWoken(pool, before + 1);
  });

  it('does not need the right to CLIENT UNBLOCK: a changed set then costs a new connection', async () => {
    await root.call('ACL', 'SETUSER', 'bob', 'on', '>pw', '~bull:*', '+@read', '+eval_ro', '+hello', '-client');
    const url = `redis://bob:pw@${server.host}:${server.port}`;
    const registry = newRegistry();
    const pools = ['a', 'b', 'c'].map((name) => new PoolUnderTest(registry, name, url));
    for (const pool of pools) {
      await pool.watch();
      await untilBlocked();
    }
    for (const pool of pools) {
      const started = performance.now();
      await pool.queue.add('job', {});
      await untilWoken(pool, 1);
      expect(performance.now() - started).toBeLessThan(3 * 1_000);
      expect(pool.redis.lastUse()?.access).toEqual({ ok: true });
    }
    expect(woken).toHaveLength(3);
  });

  it('asks a Redis that refuses to be read ever more seldom', async () => {
    await root.call('ACL', 'SETUSER', 'bob', 'on', '>pw', '~bull:*', '+@read', '-xread', '+eval_ro', '+hello');
    const pool = new PoolUnderTest(newRegistry(), 'q', `redis://bob:pw@${server.host}:${server.port}`);
    await pool.watch();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const calls = /cmdstat_xread:calls=\d+.*rejected_calls=(\d+)/.exec(await root.info('commandstats'));
    expect(Number(calls?.[1])).toBeGreaterThanOrEqual(1);
    expect(Number(calls?.[1])).toBeLessThanOrEqual(5);
    expect(pool.wakes()).toBe(0);
  });

  it('keeps a hundred sleeping pools with a handful of commands a minute', async () => {
    const registry = newRegistry({ blockMs: 1_000 });
    const pools = Array.from({ length: 100 }, (_, index) => new PoolUnderTest(registry, `q${index}`));
    await Promise.all(pools.map((pool) => pool.watch()));
    await untilBlocked();
    // The calls inside of a script are in Redis's total, so the reader's own commands are counted one by one.
    const commands = async () => {
      const counts = (await root.info('commandstats')).matchAll(
        /cmdstat_(?:eval_ro|xread|client\|\w+|hello):calls=(\d+)/g,
      );
      return [...counts].reduce((sum, [, calls]) => sum + Number(calls), 0);
    };
    const before = await commands();
    // A slow poll finds all as it was, and interrupts nothing.
    await Promise.all(pools.map((pool) => pool.watch()));
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    // One script and three or four reads of a second.
    expect((await commands()) - before).toBeLessThanOrEqual(6);
  });
});
