import { expect, it } from 'vitest';
import { decide } from '../../../operator/core/decide.ts';
import { NOON, samplePool } from '../../../operator/core/state.fixture.ts';
import { SeenPool } from './seen-pool.ts';

it('sees what was applied as it was applied, so that nothing is left to write', () => {
  const seen = new SeenPool(samplePool());
  const sight = { now: NOON, waiting: 0, active: 0, jobMs: 0, replicas: [] };
  expect(seen.apply(decide(seen.state(sight)))).toBe(0);
  expect(seen.apply(decide(seen.state({ ...sight, now: NOON + 1000 })))).toBeUndefined();
});
