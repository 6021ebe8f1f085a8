import { expect, it } from 'vitest';
import { Pacing } from './pacing.ts';

it('answers a pool whose events never end ever more seldom, and a quiet one at once again', () => {
  const pacing = new Pacing({ leastMs: 1_000, mostMs: 4_000 });
  let now = 0;
  const pauses: number[] = [];
  for (let wakes = 0; wakes < 5; wakes += 1) {
    const until = pacing.pauseUntil('busy', now);
    pauses.push(until - now);
    now = until + 5;
  }
  expect(pauses).toEqual([1_000, 2_000, 4_000, 4_000, 4_000]);
  now += 10_000;
  expect(pacing.pauseUntil('busy', now) - now).toBe(1_000);
  expect(pacing.pauseUntil('other', now) - now).toBe(1_000);
});

it('begins anew for a pool that left', () => {
  const pacing = new Pacing({ leastMs: 1_000, mostMs: 4_000 });
  pacing.pauseUntil('a', 0);
  pacing.forget('a');
  expect(pacing.pauseUntil('a', 1_001)).toBe(2_001);
});
