import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createWorkQueue, type Priority } from './workqueue.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** Lets everything that is due happen. */
const tick = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

/** Takes until nothing is due, without finishing anything. */
async function takeAll(queue: ReturnType<typeof createWorkQueue>): Promise<string[]> {
  const taken: string[] = [];
  while (queue.size() > 0) taken.push((await queue.take()) ?? 'nothing');
  return taken;
}

describe('a work queue', () => {
  it('hands out a key once, however often it was added while it waited', async () => {
    const queue = createWorkQueue();
    for (let i = 0; i < 5; i += 1) queue.add('a');
    expect(await takeAll(queue)).toEqual(['a']);
  });

  it('hands a key out again, once, when it was added while it was worked on', async () => {
    const queue = createWorkQueue();
    queue.add('a');
    await queue.take();
    queue.add('a');
    queue.add('a');
    expect(queue.size()).toBe(0);
    queue.done('a');
    expect(await takeAll(queue)).toEqual(['a']);
  });

  it('keeps the earliest of several delays, and drops them when the key is due anyway', async () => {
    const queue = createWorkQueue();
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 100);
    queue.addAfter('a', 500);
    await tick(99);
    expect(queue.size()).toBe(0);
    await tick(2);
    expect(await takeAll(queue)).toEqual(['a']);
    queue.done('a');
    await tick(5_000);
    expect(queue.size()).toBe(0);
    queue.addAfter('a', 1_000);
    queue.add('a');
    expect(await takeAll(queue)).toEqual(['a']);
    queue.done('a');
    await tick(5_000);
    expect(queue.size()).toBe(0);
  });

  it('waits longer after each failure, never less than half, and starts over when forgotten', () => {
    const queue = createWorkQueue({ backoff: { baseMs: 100, maxMs: 1_000 }, random: () => 0 });
    const delays = Array.from({ length: 6 }, () => queue.addRateLimited('a'));
    expect(delays).toEqual([50, 100, 200, 400, 500, 500]);
    expect(queue.failures('a')).toBe(6);
    queue.forget('a');
    expect(queue.addRateLimited('a')).toBe(50);
    expect(queue.addRateLimited('a', 7_000)).toBe(7_000);
  });

  it('serves low priority last, but lets it not starve', async () => {
    const queue = createWorkQueue();
    for (let i = 0; i < 3; i += 1) queue.add(`low-${i}`, 'low');
    for (let i = 0; i < 30; i += 1) queue.add(`normal-${i}`);
    const order = await takeAll(queue);
    expect(order.slice(0, 9).every((key) => key.startsWith('normal'))).toBe(true);
    expect(order.indexOf('low-0')).toBe(9);
    expect(order.indexOf('low-2')).toBe(29);
  });

  it('serves what is urgent first, and one in ten of the others all the same', async () => {
    const queue = createWorkQueue();
    for (let i = 0; i < 20; i += 1) queue.add(`normal-${i}`);
    for (let i = 0; i < 20; i += 1) queue.add(`low-${i}`, 'low');
    for (let i = 0; i < 20; i += 1) queue.add(`urgent-${i}`, 'urgent');
    queue.add('normal-19', 'urgent');
    queue.add('urgent-0');
    const order = await takeAll(queue);
    expect(order.slice(0, 4)).toEqual(['urgent-0', 'urgent-1', 'urgent-2', 'urgent-3']);
    expect([order[4], order[9], order[14], order[19]]).toEqual(['normal-0', 'low-0', 'normal-1', 'low-1']);
    expect(order.indexOf('normal-19')).toBe(25);
    expect(new Set(order).size).toBe(60);
  });

  it('does not look again at what was urgent meanwhile', async () => {
    const queue = createWorkQueue();
    queue.addAfter('a', 1_000);
    queue.add('a', 'urgent');
    expect(await takeAll(queue)).toEqual(['a']);
    queue.done('a');
    await tick(5_000);
    expect(queue.size()).toBe(0);
  });

  it('lets a key that is to be looked at again wait behind those that an event added, and raises it by an event', async () => {
    const queue = createWorkQueue();
    queue.addAfter('again', 10, 'low');
    queue.addAfter('event', 10, 'low');
    await tick(11);
    queue.add('new');
    queue.add('event');
    expect([queue.size('normal'), queue.size('low')]).toEqual([2, 1]);
    expect(await takeAll(queue)).toEqual(['new', 'event', 'again']);
    queue.done('again');
    await tick(5_000);
    expect(queue.size()).toBe(0);
  });

  it('raises a key that waits with low priority when it is added as normal', async () => {
    const queue = createWorkQueue();
    queue.add('resync', 'low');
    queue.add('a');
    queue.add('resync');
    queue.add('a', 'low');
    expect(await takeAll(queue)).toEqual(['a', 'resync']);
  });

  it('lets a quiet key wait at most one round of a thousand noisy ones', async () => {
    const queue = createWorkQueue();
    const noisy = Array.from({ length: 1_000 }, (_, i) => `noisy-${i}`);
    for (const key of noisy) queue.add(key);
    queue.add('quiet');
    for (let turn = 1; ; turn += 1) {
      const key = await queue.take();
      if (key === undefined) throw new Error('the queue ended');
      if (key === 'quiet') {
        expect(turn).toBeLessThanOrEqual(1_001);
        break;
      }
      queue.add(key);
      queue.done(key);
    }
  });

  it('gives waiting workers nothing more once it is shut down', async () => {
    const queue = createWorkQueue();
    const waiting = queue.take();
    queue.addAfter('a', 10);
    queue.shutDown();
    queue.add('b');
    await tick(20);
    expect(await waiting).toBeUndefined();
    expect(await queue.take()).toBeUndefined();
  });

  it('waits longer than setTimeout can', async () => {
    const queue = createWorkQueue();
    const month = 31 * 24 * 3_600_000;
    queue.addAfter('a', month);
    await tick(month - 1_000);
    expect(queue.size()).toBe(0);
    await tick(2_000);
    expect(queue.size()).toBe(1);
  });
});

type Step =
  | { do: 'add'; key: number; priority: Priority }
  | { do: 'after'; key: number; ms: number }
  | { do: 'take' }
  | { do: 'done'; key: number }
  | { do: 'wait'; ms: number };

const key = fc.integer({ min: 0, max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key, priority: fc.constantFrom<Priority>('urgent', 'normal', 'low') }),
  fc.record({ do: fc.constant('after' as const), key, ms: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ do: fc.constant('take' as const) }),
  fc.record({ do: fc.constant('done' as const), key }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60 }) }),
);

describe('any use of a work queue', () => {
  it('never hands a key to two workers, and never loses one that was added', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const queue = createWorkQueue();
        const running = new Set<string>();
        const owed = new Set<string>();
        const takeOne = async () => {
          const taken = (await queue.take()) ?? '';
          expect(running.has(taken)).toBe(false);
          running.add(taken);
          owed.delete(taken);
        };
        const finish = (name: string) => {
          running.delete(name);
          queue.done(name);
        };
        for (const action of steps) {
          const name = 'key' in action ? `k${action.key}` : '';
          if (action.do === 'add' || action.do === 'after') owed.add(name);
          if (action.do === 'add') queue.add(name, action.priority);
          else if (action.do === 'after') queue.addAfter(name, action.ms);
          else if (action.do === 'done' && running.has(name)) finish(name);
          else if (action.do === 'take' && queue.size() > 0) await takeOne();
          else if (action.do === 'wait') await tick(action.ms);
        }
        await tick(100);
        for (const name of running) finish(name);
        while (queue.size() > 0) await takeOne();
        expect([...owed]).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
