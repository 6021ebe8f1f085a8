import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { samplePool, stateOf } from '../state.fixture.ts';
import type { QueueSnapshot } from '../state.ts';
import { chooseTarget, type Target } from '../target.ts';

/** The target of a pool of 5 slots a replica, with no mean duration known unless given. */
const targetOf = (
  queue: Partial<QueueSnapshot>,
  { replicas = 0, meanMs, ...scaling }: { replicas?: number; meanMs?: number } & Parameters<typeof samplePool>[0] = {},
): Target => {
  const state = stateOf({ pool: samplePool(scaling), replicas, queue });
  const meanDuration = meanMs === undefined ? {} : { meanDuration: { ms: meanMs, at: state.now } };
  return chooseTarget({
    state: { ...state, memory: { ...state.memory, ...meanDuration } },
    queue: state.queue,
    deployment: null,
    current: replicas,
  });
};

describe("the queue's global concurrency", () => {
  it('holds the number to the replicas whose slots it can fill, and says so', () => {
    expect(targetOf({ ready: 400, concurrency: 12 }).because).toEqual({
      reason: 'HeldByGlobalConcurrency',
      message:
        "0 active + 400 waiting = 400 slots; 5 a replica → 80; held to 3 because the queue's global concurrency lets 12 jobs run at once",
    });
    expect(targetOf({ ready: 8, concurrency: 12 }).bounds).toEqual([]);
  });

  it('leaves a slot to each job that runs already, when it was lowered below their number', () => {
    expect(targetOf({ active: 20, ready: 50, concurrency: 2 }, { replicas: 6 }).bounds[0]).toMatchObject({ to: 4 });
  });
});

describe("the queue's rate limit", () => {
  const rateLimit = { max: 10, durationMs: 60_000 };

  it('lets no waiting job count that it does not let start within the wait target', () => {
    expect(targetOf({ active: 4, ready: 400, rateLimit }).because).toEqual({
      reason: 'HeldByRateLimit',
      message:
        "4 active + 400 waiting = 404 slots; 5 a replica → 81; held to 3 because the queue's rate limit of 10 jobs in 60 s lets at most 10 start within 30 s",
    });
    expect(targetOf({ ready: 400, rateLimit }, { targetWaitMs: 120_000 }).bounds[0]).toMatchObject({ to: 6 });
    expect(targetOf({ ready: 400, rateLimit }, { meanMs: 3000 }).bounds[0]).toMatchObject({ to: 1 });
  });

  it('freezes the number upwards while it lets none start, until the moment when it does', () => {
    const target = targetOf({ ready: 30, limitedForMs: 12_000 }, { replicas: 2 });
    expect(target).toMatchObject({ wanted: 2, replicas: 2, because: { reason: 'HeldByRateLimit' } });
    expect(target.because.message).toBe(
      '0 active + 30 waiting = 30 slots; 5 a replica → 6; held at 2 while the queue is rate limited, 12 s more',
    );
    expect(target.changesAt).toBe(stateOf().now + 12_000);
  });
});

describe('a paused queue', () => {
  it('starts no replica for jobs that run elsewhere', () => {
    const target = targetOf({ active: 7, ready: 100, paused: true }, { replicas: 1 });
    expect(target).toMatchObject({ wanted: 1, because: { reason: 'QueuePaused' } });
    expect(target.because.message).toMatch(/→ 2; held at 1 while the queue is paused$/);
  });

  it('gets its floor all the same', () => {
    expect(targetOf({ ready: 100, paused: true }, { minReplicas: 2 })).toMatchObject({ wanted: 2 });
  });
});

describe('for any queue', () => {
  const queues = fc.record({
    ready: fc.nat({ max: 5000 }),
    active: fc.nat({ max: 200 }),
    paused: fc.boolean(),
    limitedForMs: fc.integer({ min: 1, max: 100_000 }),
    concurrency: fc.integer({ min: 1, max: 500 }),
    rateLimit: fc.record({ max: fc.integer({ min: 1, max: 500 }), durationMs: fc.integer({ min: 1, max: 100_000 }) }),
  });
  const anyQueue = fc
    .tuple(queues, fc.subarray(['limitedForMs', 'concurrency', 'rateLimit'] as const))
    .map(([queue, limits]): Partial<QueueSnapshot> => {
      const { ready, active, paused } = queue;
      return Object.assign({ ready, active, paused }, ...limits.map((limit) => ({ [limit]: queue[limit] })));
    });
  const some = fc.record({
    replicas: fc.nat({ max: 40 }),
    meanMs: fc.integer({ min: 1, max: 900_000 }),
    concurrency: fc.integer({ min: 1, max: 50 }),
    maxReplicas: fc.constant(1000),
  });

  it('never more replicas than its global concurrency can use', () => {
    fc.assert(
      fc.property(anyQueue, some, (queue, pool) => {
        const { wanted } = targetOf(queue, pool);
        if (queue.concurrency === undefined || wanted <= pool.replicas) return;
        const useful = Math.max(queue.concurrency, queue.active ?? 0);
        expect((wanted - 1) * pool.concurrency).toBeLessThan(useful);
      }),
    );
  });

  it('never up while it is paused or rate limited', () => {
    fc.assert(
      fc.property(anyQueue, some, (queue, pool) => {
        if (!queue.paused && queue.limitedForMs === undefined) return;
        expect(targetOf(queue, pool).wanted).toBeLessThanOrEqual(pool.replicas);
      }),
    );
  });

  it('every running job keeps its slot in what is wanted, where none had to be started for it', () => {
    fc.assert(
      fc.property(anyQueue, some, (queue, pool) => {
        const { wanted } = targetOf(queue, pool);
        const needed = Math.ceil((queue.active ?? 0) / pool.concurrency);
        expect(wanted).toBeGreaterThanOrEqual(Math.min(needed, pool.replicas));
      }),
    );
  });

  it('more backlog never wants fewer', () => {
    fc.assert(
      fc.property(anyQueue, some, fc.nat({ max: 5000 }), (queue, pool, more) => {
        const bigger = { ...queue, ready: (queue.ready ?? 0) + more };
        expect(targetOf(bigger, pool).wanted).toBeGreaterThanOrEqual(targetOf(queue, pool).wanted);
      }),
    );
  });
});
