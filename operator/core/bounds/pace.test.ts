import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../decide.ts';
import { known } from '../known.ts';
import { afterApplying, queueOf, samplePool, stateOf, toldBy } from '../state.fixture.ts';
import type { PoolState } from '../state.ts';

const written = (state: PoolState) => decide(state).actions[0]?.manifest.spec.replicas;

describe('scaleUp.maxPerMinute', () => {
  const pool = samplePool({ scaleUpMaxPerMinute: 4 });

  it('adds so many at once, goes on when a minute has passed, and says so in one event', () => {
    const burst = stateOf({ pool, queue: { ready: 50 } });
    const first = decide(burst);
    expect(first.actions[0]?.manifest.spec.replicas).toBe(4);
    expect(first).toMatchObject({ wanted: 10, because: { reason: 'HeldToScaleUpLimit' } });
    expect(first.because.message).toBe(
      '0 active + 50 waiting = 50 slots; 5 a replica → 10; 4 for now because scaleUp.maxPerMinute is 4',
    );
    expect(toldBy(first).map(({ reason }) => reason)).toEqual(['Scaled']);

    const soon = afterApplying(burst, first, 59_000);
    expect(written(soon)).toBeUndefined();
    expect(decide(soon).recheckAfterMs).toBe(1000);
    const then = afterApplying(soon, decide(soon), 1000);
    expect(written(then)).toBe(8);
    expect(toldBy(decide(then))).toEqual([]);
    const last = afterApplying(then, decide(then), 60_000);
    expect(written(last)).toBe(10);
    expect(decide(last).because.reason).toBe('SizedToQueue');
  });

  it('says so once too while its status is not written, and anew on the way to another number', () => {
    const burst = stateOf({ pool, queue: { ready: 50 } });
    const unsaid = (state: PoolState, ms: number, ready = 50): PoolState => {
      const after = afterApplying(state, decide(state), ms);
      return { ...after, pool: burst.pool, queue: known(queueOf({ ready }), after.now) };
    };
    const waits = unsaid(burst, 59_000);
    const then = unsaid(waits, 1000);
    expect([written(then), toldBy(decide(then))]).toEqual([8, []]);
    const more = unsaid(unsaid(burst, 59_000, 60), 1000, 60);
    expect(toldBy(decide(more)).map(({ note }) => note)).toEqual([expect.stringContaining('Scaled 4 → 8: ')]);
    const arrived = unsaid(then, 60_000);
    expect(decide(arrived).memory.raisingTo).toBeUndefined();
  });

  it('holds for a floor as well', () => {
    expect(written(stateOf({ pool: samplePool({ scaleUpMaxPerMinute: 2, minReplicas: 5 }) }))).toBe(2);
  });

  it('counts for a new leader the replicas that were made before it came', () => {
    const settled = stateOf({ pool, replicas: 4, queue: { ready: 50 } });
    const madeAt = (createdAt: number) =>
      settled.replicas.ok ? settled.replicas.value.map((replica) => ({ ...replica, createdAt })) : [];
    const led = (sinceMs: number, createdAt: number): PoolState => ({
      ...settled,
      replicas: known(madeAt(createdAt), settled.now),
      memory: { ...settled.memory, watchingSince: settled.now - sinceMs },
    });
    const { now } = settled;
    expect(written(led(5_000, now - 20_000))).toBeUndefined();
    // Kubernetes keeps that time in whole seconds: it may have been made a second later.
    expect(written(led(5_000, now - 60_500))).toBeUndefined();
    expect(written(led(5_000, now - 61_000))).toBe(8);
    // What this leader added it knows itself.
    expect(written(led(3_600_000, now - 20_000))).toBe(8);
  });

  it('is no limit by default', () => {
    expect(written(stateOf({ queue: { ready: 100 } }))).toBe(20);
  });

  it('is never exceeded in any minute, however the backlog moves', () => {
    const steps = fc.array(fc.tuple(fc.nat({ max: 40_000 }), fc.nat({ max: 400 })), { maxLength: 30 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 9 }), (list, scaleUpMaxPerMinute) => {
        let state = stateOf({ pool: samplePool({ scaleUpMaxPerMinute, maxReplicas: 100 }) });
        const added: { at: number; by: number }[] = [];
        for (const [gap, ready] of list) {
          const before = state.deployment.ok ? (state.deployment.value?.replicas ?? 0) : 0;
          state = { ...state, queue: known(queueOf({ ready }), state.now) };
          const decision = decide(state);
          const after = decision.actions[0]?.manifest.spec.replicas ?? before;
          added.push({ at: state.now, by: Math.max(0, after - before) });
          const { now } = state;
          const lastMinute = added.filter(({ at }) => at > now - 60_000).reduce((sum, { by }) => sum + by, 0);
          expect(lastMinute).toBeLessThanOrEqual(scaleUpMaxPerMinute);
          state = afterApplying(state, decision, gap);
        }
      }),
    );
  });
});
