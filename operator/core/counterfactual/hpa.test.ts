import { describe, expect, it } from 'vitest';
import { HPA_SYNC_MS, type HpaMemory, syncHpa } from './hpa.ts';

const LIMITS = { perReplica: 5, minReplicas: 1, maxReplicas: 100 };

/** The replicas after each sync of a Deployment that follows at once. */
function follow(current: number, metrics: readonly number[], limits = LIMITS): number[] {
  let memory: HpaMemory = [];
  let replicas = current;
  return metrics.map((metric, tick) => {
    const synced = syncHpa(memory, { ...limits, now: tick * HPA_SYNC_MS, metric, current: replicas });
    memory = synced.memory;
    replicas = synced.replicas;
    return replicas;
  });
}

const constant = (metric: number, syncs: number): number[] => Array.from({ length: syncs }, () => metric);

describe('the HPA rule', () => {
  it('needs six syncs from 1 to 50, as was measured: 4 pods or 100 % in 15 s', () => {
    expect(follow(1, constant(250, 5))).toEqual([5, 10, 20, 40, 50]);
  });

  it('leaves alone what is within a tenth of the target', () => {
    expect(follow(10, [54, 46, 55.5])).toEqual([10, 10, 12]);
    expect(follow(10, [56])).toEqual([12]);
  });

  it('goes down to the most that was recommended within 300 s, and then at once', () => {
    const replicas = follow(20, [100, ...constant(10, 21)]);
    expect(replicas.slice(0, 20)).toEqual(constant(20, 20));
    expect(replicas.slice(20)).toEqual([2, 2]);
  });

  it('counts the number that it found as recommended', () => {
    expect(follow(20, constant(0, 20))).toEqual(constant(20, 20));
  });

  it('keeps one replica, or the floor, and never passes the maximum', () => {
    expect(follow(1, constant(0, 30)).at(-1)).toBe(1);
    expect(follow(5, constant(0, 30), { ...LIMITS, minReplicas: 3 }).at(-1)).toBe(3);
    expect(follow(5, constant(900, 9), { ...LIMITS, maxReplicas: 12 }).at(-1)).toBe(12);
  });

  it('is off at zero replicas', () => {
    expect(follow(0, constant(900, 3))).toEqual([0, 0, 0]);
  });
});
