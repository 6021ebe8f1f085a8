import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SizingInput, sizeToQueue } from './sizing.ts';

const base: SizingInput = {
  ready: 0,
  paused: false,
  active: 0,
  slots: 25,
  targetWaitMs: 30_000,
  startedReplicas: 3,
};

describe('the size of a pool', () => {
  it.each([
    ['nothing waits, nothing runs', {}, 0, 'QueueEmpty', 'nothing waits and nothing runs'],
    ['one job starts one replica', { ready: 1 }, 1, 'SizedToQueue', '0 active + 1 waiting = 1 slot; 25 a replica → 1'],
    [
      'a short job frees its slot for others within the target',
      { active: 75, ready: 214, meanDurationMs: 12_000 },
      7,
      'SizedToQueue',
      '75 active + 214 waiting × 12 s / 30 s = 161 slots; 25 a replica → 7',
    ],
    [
      'a job longer than the target frees no slot in time',
      { ready: 50, meanDurationMs: 120_000 },
      2,
      'SizedToQueue',
      undefined,
    ],
    ['an unknown duration counts as long', { ready: 100 }, 4, 'SizedToQueue', undefined],
    ['a paused queue has no waiting jobs', { ready: 900, paused: true, active: 3 }, 1, 'QueuePaused', undefined],
    [
      'a cold start shortens the time that is left for the backlog',
      { ready: 400, meanDurationMs: 10_000, coldStartMs: 10_000 },
      8,
      'SizedToQueue',
      '0 active + 400 waiting × 10 s / 20 s = 200 slots; 25 a replica → 8',
    ],
    [
      'the cold start does not matter when no replica must be added',
      { ready: 60, meanDurationMs: 10_000, coldStartMs: 10_000 },
      1,
      'SizedToQueue',
      undefined,
    ],
  ] as const)('%s', (_story, over, need, reason, message) => {
    const sized = sizeToQueue({ ...base, ...over });
    expect(sized.need).toBe(need);
    expect(sized.because.reason).toBe(reason);
    if (message !== undefined) expect(sized.because.message).toBe(message);
  });

  it('says that the target cannot be met, and the cure, when a start alone takes more than half of it', () => {
    const { because } = sizeToQueue({ ...base, ready: 500, meanDurationMs: 10_000, coldStartMs: 40_000 });
    expect(because.message).toContain(
      'a replica takes 40 s to start, so the wait target of 30 s cannot be met from here: raise minReplicas',
    );
  });
});

const inputs = fc.record({
  ready: fc.integer({ min: 0, max: 100_000 }),
  paused: fc.boolean(),
  active: fc.integer({ min: 0, max: 10_000 }),
  slots: fc.integer({ min: 1, max: 1000 }),
  targetWaitMs: fc.integer({ min: 1000, max: 86_400_000 }),
  meanDurationMs: fc.integer({ min: 0, max: 86_400_000 }),
  coldStartMs: fc.integer({ min: 0, max: 600_000 }),
  startedReplicas: fc.integer({ min: 0, max: 1000 }),
});

describe('whatever the queue holds', () => {
  it('more backlog never wants fewer', () => {
    fc.assert(
      fc.property(
        inputs,
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 0, max: 1000 }),
        (input, waiting, active) => {
          const more = sizeToQueue({ ...input, ready: input.ready + waiting, active: input.active + active });
          expect(more.need).toBeGreaterThanOrEqual(sizeToQueue(input).need);
        },
      ),
    );
  });

  it('every running job keeps a slot', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        expect(sizeToQueue(input).need * input.slots).toBeGreaterThanOrEqual(input.active);
      }),
    );
  });
});
