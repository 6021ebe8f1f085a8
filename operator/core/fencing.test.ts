import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EPOCH_ANNOTATION } from '../api/names.ts';
import { decide } from './decide.ts';
import { firstMemory } from './memory.ts';
import { afterApplying, EPOCH, NOON, samplePool, stateOf, toldBy } from './state.fixture.ts';
import type { PoolState } from './state.ts';

const pool = samplePool({ minReplicas: 3 });

/** What a new leader finds: the world as it was left, and nothing that the other one knew. */
const takenOver = (state: PoolState): PoolState => ({
  ...state,
  epoch: '1.second',
  memory: firstMemory(state.pool.status, NOON),
});

const markIn = (state: PoolState) => decide(state).actions[0]?.manifest.metadata.annotations[EPOCH_ANNOTATION];

describe('a new leader', () => {
  it('marks the Deployment of a pool that has replicas, on the version that it read, and once', () => {
    const state = takenOver(stateOf({ pool, replicas: 3 }));
    const decision = decide(state);
    const [{ manifest } = { manifest: undefined }] = decision.actions;
    expect(manifest?.metadata).toMatchObject({
      resourceVersion: '100',
      annotations: { [EPOCH_ANNOTATION]: '1.second' },
    });
    expect(manifest?.spec.replicas).toBe(3);
    expect(decide(afterApplying(state, decision)).actions).toEqual([]);
  });

  it('marks it although its predecessor had applied the very same', () => {
    const settled = stateOf({ pool, replicas: 3 });
    expect(decide(settled).actions).toEqual([]);
    expect(markIn({ ...settled, epoch: '1.second' })).toBe('1.second');
  });

  it('leaves the mark of a pool at zero as it was: there is nothing that a late write could take away', () => {
    expect(markIn(takenOver(stateOf({ replicas: 0 })))).toBe(EPOCH);
  });

  it('says of a marked pool what it said before: no new generation is on its way', () => {
    const settled = stateOf({ pool, replicas: 3 });
    const conditions = (state: PoolState) =>
      decide(state).status.conditions?.map(({ type, status, reason }) => [type, status, reason]);
    expect(conditions({ ...settled, epoch: '1.second' })).toEqual(conditions(settled));
    expect(toldBy(decide({ ...settled, epoch: '1.second' }))).toEqual([]);
  });
});

describe('a mark', () => {
  it('comes with the number that it goes with, in one write, whatever the numbers are', () => {
    const numbers = fc.record({ replicas: fc.nat({ max: 9 }), ready: fc.nat({ max: 60 }), isNew: fc.boolean() });
    fc.assert(
      fc.property(numbers, ({ replicas, ready, isNew }) => {
        const settled = stateOf({ replicas, queue: { ready } });
        const state = isNew ? takenOver(settled) : settled;
        const after = afterApplying(state, decide(state));
        expect(decide(after).actions).toEqual([]);
        const { value } = after.deployment as { value: { replicas: number; annotations: Record<string, string> } };
        const { applied } = after.memory;
        const by = [value.annotations[EPOCH_ANNOTATION], applied?.raisedUnder];
        if (value.replicas > 0) expect(by).toContain(state.epoch);
      }),
    );
  });
});
