import { describe, expect, it } from 'vitest';
import type { Pool } from '../../operator/api/parse.ts';
import { samplePool } from '../../operator/core/state.fixture.ts';
import { replay } from './replay.ts';
import { hpa } from './rules/hpa.ts';
import { keda } from './rules/keda.ts';
import { knative } from './rules/knative.ts';
import { ours } from './rules/ours.ts';
import type { Autoscaler, Rule } from './rules/rule.ts';
import { burst, traceOf } from './trace.fixture.ts';
import type { Trace } from './trace.ts';

const HOUR_MS = 3_600_000;

const run = (rule: Rule, trace: Trace, { pool = samplePool({ concurrency: 4 }), coldStartMs = 30_000 } = {}) =>
  replay(rule, { trace, pool, coldStartMs, seed: 1 });

const longestWait = ({ waits }: { waits: Float64Array }): number => Math.max(...waits) / 1000;

/** A rule that does what it is told at each look. */
const scripted = (look: Autoscaler['look'], startsWith = 0): Rule => ({
  name: 'scripted',
  graceMs: 30_000,
  start: () => ({ startsWith, look }),
});

const fixed = (replicas: number): Rule => scripted(({ now }) => ({ replicas, lookAgainAt: now + 1000 }), replicas);

describe('a replay', () => {
  it('counts replicas from the first job until the last has ended', () => {
    const result = run(fixed(2), traceOf([0, 60], [3540, 60]));
    expect(result.replicaMs).toBe(2 * HOUR_MS);
    expect([...result.waits]).toEqual([0, 0]);
  });

  it('counts a replica that starts, and one that ends its jobs', () => {
    let looks = 0;
    const rule = scripted(({ now }) => ({ replicas: (looks += 1) <= 40 ? 1 : 0, lookAgainAt: now + 1000 }));
    // Made at 0, ready at 30, told to end at 40, idle at 60: then the last job has ended.
    const result = run(rule, traceOf([0, 30], [0, 5]));
    expect(result.replicaMs).toBe(60_000);
    expect(result.killed).toBe(0);
  });

  it('counts a turn each time that the number goes the other way', () => {
    const numbers = [1, 2, 2, 3, 1, 1, 4, 4, 2];
    const rule = scripted(({ now }) => ({ replicas: numbers.shift() ?? 1, lookAgainAt: now + 1000 }));
    expect(run(rule, traceOf([0, 100])).directionChanges).toBe(3);
  });

  it('ends with an error when a rule lets jobs wait for ever', () => {
    expect(() => run(fixed(0), traceOf([0, 1]))).toThrow('leaves 1 jobs waiting');
  });

  it('is the same each time', () => {
    const trace = traceOf(...Array.from({ length: 300 }, (_, job) => [job * 3, 20 + ((job * 7) % 90)] as const));
    for (const rule of [ours, hpa, keda, knative]) expect(run(rule, trace)).toEqual(run(rule, trace));
  });

  it('keeps a bounded series of a backlog that outlasts its trace by far', () => {
    const { series } = run(fixed(1), traceOf(...burst(400, 0, 600)));
    expect(series.waiting.length).toBeLessThanOrEqual(1200);
    expect(series.waiting[0]).toBe(396);
    expect(series.stepMs * series.waiting.length).toBeGreaterThan(16 * HOUR_MS);
  });
});

describe('our rule in a replay', () => {
  const pool: Pool = samplePool({ concurrency: 4, maxReplicas: 50 });

  it('starts everything at once from zero: a burst waits for one cold start', () => {
    const result = run(ours, traceOf(...burst(200, 0, 120)), { pool });
    expect(longestWait(result)).toBeCloseTo(30, 0);
    expect(Math.max(...result.series.replicas)).toBe(50);
  });

  it('asks for no more replicas than jobs shorter than the target need', () => {
    // The mean is known when the burst comes: 5 s. Each slot does several of the 120 jobs in the time that is left.
    const trace = traceOf([0, 5], [1, 5], ...burst(120, 600, 5));
    const result = run(ours, trace, { pool });
    expect(Math.max(...result.series.replicas)).toBeLessThan(20);
  });

  it('kills no job on the way down, however long jobs run, and comes down while others run', () => {
    const steady = Array.from({ length: 400 }, (_, job) => [700 + job * 10, 40] as const);
    const result = run(ours, traceOf(...burst(100, 0, 60), ...burst(4, 0, 3000), ...steady), { pool });
    expect(result.killed).toBe(0);
    const { series } = result;
    const at = (seconds: number) => series.replicas[Math.floor((seconds * 1000) / series.stepMs)];
    expect(at(60)).toBe(26);
    expect(at(2000)).toBeLessThanOrEqual(6);
  });

  it('gives cordoned replicas back to work when load returns: no cold start', () => {
    // From 230 s on each of ten replicas has two jobs: half of the pool is on its way out when 18 more come.
    const pairs = Array.from({ length: 20 }, () => [...burst(1, 0, 400), ...burst(1, 0, 200)]).flat();
    const trace = traceOf(...pairs, ...burst(18, 300, 30));
    const result = run(ours, trace, { pool });
    const late = result.waits.slice(-18);
    expect(Math.max(...late) / 1000).toBeLessThan(2);
  });

  it('needs fewer replicas than KEDA and kills nothing, under a load that comes in waves', () => {
    const waves = Array.from({ length: 12 }, (_, wave) => burst(60, wave * 300, 45)).flat();
    const [a, b] = [ours, keda].map((rule) => run(rule, traceOf(...waves), { pool }));
    expect(a?.killed).toBe(0);
    expect(a?.replicaMs).toBeLessThan(0.8 * (b?.replicaMs ?? 0));
  });
});

describe('the other rules in a replay', () => {
  it('HPA keeps one replica and so serves the first job at once', () => {
    expect(longestWait(run(hpa, traceOf([0, 10])))).toBe(0);
  });

  it('KEDA finds a job at the next poll of 30 s, and starts one replica first', () => {
    const result = run(keda, traceOf([0, 1], [600, 10]), { pool: samplePool({ concurrency: 4, maxReplicas: 50 }) });
    expect(result.waits[0]).toBe(30_000);
    const burstOf50 = run(keda, traceOf(...burst(200, 0, 300)), {
      pool: samplePool({ concurrency: 4, maxReplicas: 50 }),
    });
    // 1, 5, 10, 20, 40, 50 at 0, 15, 30, 45, 60, 75 s, and the cold start of the last.
    expect(longestWait(burstOf50)).toBe(105);
  });

  it('KEDA kills the jobs that its ReplicaSet victims run, unless they end within the grace', () => {
    const trace = traceOf(...burst(40, 0, 60), ...burst(4, 0, 2000));
    expect(run(keda, trace).killed).toBeGreaterThan(0);
    const patient = replay(keda, {
      trace,
      pool: samplePool({ concurrency: 4 }),
      coldStartMs: 0,
      graceMs: HOUR_MS,
      seed: 1,
    });
    expect(patient.killed).toBe(0);
  });

  it('Knative panics: a burst gets all its replicas at the second tick', () => {
    const result = run(knative, traceOf(...burst(60, 0, 60)), {
      pool: samplePool({ concurrency: 4, maxReplicas: 50 }),
    });
    expect(Math.max(...result.series.replicas)).toBe(22);
    expect(longestWait(result)).toBeLessThan(35);
  });

  it('Knative goes to zero after the 60 s of its window and the 30 s of its grace', () => {
    const result = run(knative, traceOf([0, 10], [600, 10]));
    const { series } = result;
    const at = (seconds: number) => series.replicas[Math.floor((seconds * 1000) / series.stepMs)];
    expect([at(110), at(200)]).toEqual([1, 0]);
  });
});
