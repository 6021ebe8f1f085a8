import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import { known, unknown } from './known.ts';
import { afterApplying, NOON, queueOf, samplePool, stateOf } from './state.fixture.ts';
import type { PoolState } from './state.ts';

const queues = fc.record({
  ready: fc.integer({ min: 0, max: 3000 }),
  active: fc.integer({ min: 0, max: 300 }),
  delayed: fc.integer({ min: 0, max: 10 }),
  paused: fc.boolean(),
  exists: fc.constant(true),
});

const pools = fc
  .record({
    minReplicas: fc.integer({ min: 0, max: 5 }),
    maxReplicas: fc.integer({ min: 5, max: 40 }),
    targetWaitMs: fc.integer({ min: 1000, max: 120_000 }),
    scaleDownWindowMs: fc.integer({ min: 1000, max: 120_000 }),
    concurrency: fc.integer({ min: 1, max: 50 }),
  })
  .map(samplePool);

const states: fc.Arbitrary<PoolState> = fc
  .record({
    pool: pools,
    queue: queues,
    replicas: fc.integer({ min: 0, max: 40 }),
    blind: fc.boolean(),
    watchedMs: fc.integer({ min: 0, max: 300_000 }),
  })
  .map(({ pool, queue, replicas, blind, watchedMs }) => {
    const state = stateOf({ pool, queue, replicas });
    return {
      ...state,
      memory: { ...state.memory, watchingSince: NOON - watchedMs },
      queue: blind ? unknown('nothing answers') : state.queue,
    };
  });

const next = (state: PoolState): number | undefined => decide(state).actions[0]?.manifest.spec.replicas;
const current = (state: PoolState): number => (state.deployment.ok ? (state.deployment.value?.replicas ?? 0) : 0);

describe('for any state', () => {
  it('the same state gives the same decision', () => {
    fc.assert(
      fc.property(states, (state) => {
        expect(decide(structuredClone(state))).toEqual(decide(state));
      }),
    );
  });

  it('deciding after applying gives nothing to do', () => {
    fc.assert(
      fc.property(states, (state) => {
        const after = afterApplying(state, decide(state));
        expect(decide(after).actions).toEqual([]);
      }),
    );
  });

  it('a number above the maximum is never written, nor one below the minimum', () => {
    fc.assert(
      fc.property(states, (state) => {
        const replicas = next(state);
        const { minReplicas, maxReplicas } = state.pool.spec.scaling;
        if (replicas === undefined || replicas === current(state)) return;
        expect(replicas).toBeLessThanOrEqual(Math.max(maxReplicas, current(state)));
        expect(replicas).toBeGreaterThanOrEqual(minReplicas);
        if (replicas > current(state)) expect(replicas).toBeLessThanOrEqual(maxReplicas);
      }),
    );
  });

  it('unknown never scales down', () => {
    fc.assert(
      fc.property(states, (state) => {
        const replicas = next({ ...state, queue: unknown('nothing answers') });
        if (replicas !== undefined) expect(replicas).toBeGreaterThanOrEqual(current(state));
      }),
    );
  });

  it('nothing is removed while a job runs', () => {
    fc.assert(
      fc.property(states, fc.integer({ min: 1, max: 50 }), (state, active) => {
        const replicas = next({ ...state, queue: known(queueOf({ active }), NOON) });
        if (replicas !== undefined) expect(replicas).toBeGreaterThanOrEqual(current(state));
      }),
    );
  });

  it('the message is one sentence that fits into a status', () => {
    fc.assert(
      fc.property(states, (state) => {
        const { because } = decide(state);
        expect(because.message).not.toBe('');
        expect(because.message).not.toContain('\n');
        expect(because.message).not.toMatch(/undefined|NaN|Infinity/);
        expect(because.message.length).toBeLessThanOrEqual(1024);
      }),
    );
  });

  it('there is always a next look, and never a hot loop', () => {
    fc.assert(
      fc.property(states, (state) => {
        const { recheckAfterMs } = decide(state);
        expect(recheckAfterMs).toBeGreaterThanOrEqual(20);
        expect(recheckAfterMs).toBeLessThanOrEqual(30_000);
      }),
    );
  });
});
