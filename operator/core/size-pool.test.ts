import { describe, expect, it } from 'vitest';
import { known, unknown } from './known.ts';
import { sizePool } from './size-pool.ts';
import { NOON, replicaOf, samplePool, stateOf } from './state.fixture.ts';
import type { PoolState, ReplicaView } from './state.ts';

const started = (name: string): ReplicaView => replicaOf(name);

function starting(name: string): ReplicaView {
  const { readyAt: _none, ...replica } = replicaOf(name, { ready: false });
  return replica;
}

/** Five slots a replica, jobs of 10 s, a target of 30 s, and 20 s for a start: 10 s are left of the target, 15 count. */
function needOf(replicas: PoolState['replicas'], current: number): number {
  const state = stateOf({ pool: samplePool(), replicas: current });
  const memory = { ...state.memory, meanDuration: { ms: 10_000, at: NOON }, coldStartMs: 20_000 };
  return sizePool({ ...state, memory, replicas }, { ready: 27, paused: false, active: 10 }, current).need;
}

describe('what a queue needs of a pool', () => {
  it('counts the cold start until the replicas that it needs have started, not only until they are ordered', () => {
    const two = [started('a'), started('b')];
    const three = [starting('c'), starting('d'), starting('e')];
    // 10 + 27 × 10 / 15 = 28 slots while it waits for a start; 10 + 27 × 10 / 30 = 19 once nothing has to start.
    expect(needOf(known(two, NOON), 2)).toBe(6);
    expect(needOf(known([...two, ...three], NOON), 5)).toBe(6);
    expect(needOf(known([...two, ...['c', 'd', 'e'].map(started)], NOON), 5)).toBe(4);
  });

  it('takes a replica that was ready and is not now for one that needs no start', () => {
    const cordoned = replicaOf('d', { ready: false });
    expect(needOf(known([started('a'), started('b'), started('c'), cordoned], NOON), 4)).toBe(4);
    const ending = replicaOf('d', { terminating: true });
    expect(needOf(known([started('a'), started('b'), started('c'), ending], NOON), 4)).toBe(6);
  });

  it('counts the replicas of the Deployment when it cannot see them', () => {
    expect(needOf(unknown('no watch'), 4)).toBe(4);
    expect(needOf(unknown('no watch'), 2)).toBe(6);
  });
});
