import { expect, it } from 'vitest';
import { known, unknown } from '../../core/known.ts';
import type { QueueSnapshot } from '../../core/state.ts';
import { queueOf } from '../../core/state.fixture.ts';
import { readSettled } from './settled.ts';
import type { QueueReading } from './source.ts';

/** Reads one number of waiting jobs after the other; the last one stays. */
const scene = (numbers: readonly number[], over: Partial<QueueSnapshot> = {}, more: Partial<QueueReading> = {}) => {
  let reads = 0;
  const read = (): Promise<QueueReading> => {
    const ready = numbers[Math.min(reads, numbers.length - 1)] ?? 0;
    reads += 1;
    return Promise.resolve({ queue: known(queueOf({ ready, ...over }), reads), redis: { ok: true }, ...more });
  };
  const run = async () => {
    const { queue } = await readSettled(read, () => Promise.resolve());
    return { ready: queue.ok ? queue.value.ready : undefined, reads };
  };
  return run;
};

it.each([
  ['waits until a burst is there', [95, 180, 250, 250], { ready: 250, reads: 4 }],
  ['looks once more at a single job', [1, 1], { ready: 1, reads: 2 }],
  ['looks no more at a queue that jobs leave', [9, 7, 12], { ready: 7, reads: 2 }],
  ['does not wait for a queue that grows on and on', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], { ready: 8, reads: 8 }],
  ['looks once at a queue in which nothing waits', [0, 5], { ready: 0, reads: 1 }],
])('%s', async (_, numbers, expected) => {
  expect(await scene(numbers)()).toEqual(expected);
});

it('looks once at what would not change: a paused queue, numbers of workers, a budget that is used up', async () => {
  expect(await scene([5, 6], { paused: true })()).toMatchObject({ reads: 1 });
  expect(await scene([5, 6], { source: 'Workers' })()).toMatchObject({ reads: 1 });
  expect(await scene([5, 6], {}, { againInMs: 100 })()).toMatchObject({ reads: 1 });
  const out = await readSettled(() => Promise.resolve({ queue: unknown('out'), redis: { ok: true } }));
  expect(out.queue.ok).toBe(false);
});
