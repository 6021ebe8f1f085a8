import { describe, expect, it } from 'vitest';
import { firstMemory, learnColdStart } from './memory.ts';
import { NOON, replicaOf } from './state.fixture.ts';

const HOUR = 3_600_000;
const fresh = { started: [], watchingSince: NOON - 10_000 };
const started = (name: string, createdAt: number, tookMs: number) =>
  replicaOf(name, { createdAt, readyAt: createdAt + tookMs });

describe('the time that a replica takes to start', () => {
  it('is that of the one that started last', () => {
    const first = learnColdStart(fresh, [started('a', NOON - 9000, 4000)]);
    expect(first).toEqual({ coldStartMs: 4000, started: ['uid-a'] });
    const second = learnColdStart({ ...fresh, ...first }, [
      started('a', NOON - 9000, 4000),
      started('b', NOON, 12_000),
      replicaOf('c', { ready: false }),
    ]);
    expect(second).toEqual({ coldStartMs: 12_000, started: ['uid-a', 'uid-b'] });
  });

  it('is measured once for each: one that was not ready for a while did not start slowly', () => {
    const unchanged = { coldStartMs: 4000, started: ['uid-a'] };
    const before = { ...fresh, ...unchanged };
    expect(learnColdStart(before, [started('a', NOON - HOUR, HOUR)])).toEqual(unchanged);
    expect(learnColdStart(before, [replicaOf('a', { ready: false })])).toEqual(unchanged);
  });

  it('is guessed from the fastest of those that were there before, until one starts', () => {
    const old = [started('a', NOON - HOUR, 1_800_000), started('b', NOON - HOUR, 7000)];
    const guessed = learnColdStart(fresh, old);
    expect(guessed.coldStartMs).toBe(7000);
    expect(learnColdStart({ ...fresh, ...guessed }, [...old, started('c', NOON, 9000)]).coldStartMs).toBe(9000);
  });

  it('forgets the replicas that are gone', () => {
    expect(learnColdStart({ ...fresh, coldStartMs: 1, started: ['uid-a'] }, [])).toEqual({
      coldStartMs: 1,
      started: [],
    });
  });
});

describe('a new leader', () => {
  it('goes on with the mean that the status kept, as old as it is', () => {
    const queue = { meanDuration: '12s', meanDurationAt: '2026-01-05T11:00:00Z', seen: true };
    expect(firstMemory({ queue }, NOON).meanDuration).toEqual({ ms: 12_000, at: NOON - HOUR });
    expect(firstMemory({ queue: { seen: true } }, NOON).meanDuration).toBeUndefined();
  });

  it('knows the way up that was told of, and not the one that was only recommended, or failed', () => {
    const wayIn = (scaling: 'True' | 'False', current: number) => {
      const condition = {
        type: 'ScalingActive',
        status: scaling,
        reason: 'x',
        message: '',
        observedGeneration: 1,
      } as const;
      const replicas = { current, wanted: 10, ready: 0, draining: 0 };
      const conditions = [{ ...condition, lastTransitionTime: '2026-01-05T11:00:00Z' }];
      return firstMemory({ replicas, conditions }, NOON).raisingTo;
    };
    expect([wayIn('True', 4), wayIn('False', 4), wayIn('True', 10)]).toEqual([10, undefined, undefined]);
    expect(firstMemory(undefined, NOON).raisingTo).toBeUndefined();
  });

  it('begins an outage of its predecessor as one that replicas have met, unless the pool has none', () => {
    const out = { type: 'DependenciesHealthy', status: 'False', reason: 'DependencyUnavailable' } as const;
    const condition = { ...out, message: '', observedGeneration: 1, lastTransitionTime: '2026-01-05T11:00:00Z' };
    const breakerAt = (current?: number) => {
      const replicas = { current: current ?? 0, wanted: 0, ready: 0, draining: 0 };
      const status = { conditions: [condition], ...(current === undefined ? {} : { replicas }) };
      return firstMemory(status, NOON).health.dependencies.redis.breaker;
    };
    expect(breakerAt(2)).toMatchObject({ state: 'Open', metReplicas: true });
    expect(breakerAt()).toMatchObject({ state: 'Open', metReplicas: true });
    expect(breakerAt(0)).toMatchObject({ state: 'Open', metReplicas: false });
  });
});
