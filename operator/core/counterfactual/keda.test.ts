import { describe, expect, it } from 'vitest';
import { HPA_SYNC_MS } from './hpa.ts';
import { FIRST_KEDA_MEMORY, stepKeda } from './keda.ts';

const LIMITS = { perReplica: 4, minReplicas: 0, maxReplicas: 100 };

function follow(current: number, metrics: readonly number[], limits = LIMITS): number[] {
  let memory = FIRST_KEDA_MEMORY;
  let replicas = current;
  return metrics.map((metric, tick) => {
    const step = stepKeda(memory, { ...limits, now: tick * HPA_SYNC_MS, metric, current: replicas });
    memory = step.memory;
    replicas = step.replicas;
    return replicas;
  });
}

const constant = (metric: number, syncs: number): number[] => Array.from({ length: syncs }, () => metric);

describe('the rule of KEDA', () => {
  it('goes from zero to one at a poll, and from there by the HPA', () => {
    expect(follow(0, constant(80, 6))).toEqual([1, 5, 10, 20, 20, 20]);
  });

  it('polls every 30 s: what comes just after a poll waits for the next', () => {
    expect(follow(0, [0, 80, 80, 80])).toEqual([0, 0, 1, 5]);
  });

  it('goes to zero from any number once nothing was there for the cooldown of 300 s', () => {
    const replicas = follow(0, [...constant(80, 5), ...constant(0, 30)]);
    expect(replicas.slice(4, 24)).toEqual(constant(20, 20));
    expect(replicas.slice(-8)).toEqual(constant(0, 8));
  });

  it('stays at its floor when it has one', () => {
    expect(follow(2, constant(0, 60), { ...LIMITS, minReplicas: 2 }).at(-1)).toBe(2);
    expect(follow(0, constant(9, 1), { ...LIMITS, minReplicas: 3 }).at(-1)).toBe(3);
    expect(follow(1, constant(0, 1), { ...LIMITS, minReplicas: 3 }).at(-1)).toBe(3);
  });
});
