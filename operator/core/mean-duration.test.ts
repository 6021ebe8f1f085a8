import { describe, expect, it } from 'vitest';
import { known, unknown } from './known.ts';
import { learnMeanDuration, usableMean } from './mean-duration.ts';
import { NOON, replicaOf } from './state.fixture.ts';

const report = (durationSum: number, durationCount: number, processStart = 1) =>
  known({ active: 0, slots: 5, processStart, durationSum, durationCount }, NOON);

describe('the mean duration of a job', () => {
  it('comes from what each replica finished since the last look', () => {
    const first = learnMeanDuration({ counters: {} }, [replicaOf('a', { report: report(100, 10) })], NOON);
    expect(first.meanDuration?.ms).toBe(10_000);
    const second = learnMeanDuration(first, [replicaOf('a', { report: report(120, 30) })], NOON + 1000);
    // Twenty new jobs of 1 s weigh as much as all that was known.
    expect(second.meanDuration).toEqual({ ms: 5500, at: NOON + 1000 });
  });

  it('counts from zero again when a process was restarted', () => {
    const first = learnMeanDuration({ counters: {} }, [replicaOf('a', { report: report(100, 10, 1) })], NOON);
    const second = learnMeanDuration(first, [replicaOf('a', { report: report(40, 20, 2) })], NOON);
    expect(second.meanDuration?.ms).toBe(6000);
  });

  it('learns nothing from a replica that does not answer, and forgets nothing either', () => {
    const first = learnMeanDuration({ counters: {} }, [replicaOf('a', { report: report(100, 10) })], NOON);
    const silent = learnMeanDuration(first, [replicaOf('a', { report: unknown('timed out') })], NOON + 1);
    expect(silent).toEqual(first);
    const back = learnMeanDuration(silent, [replicaOf('a', { report: report(100, 10) })], NOON + 2);
    expect(back.meanDuration).toEqual(first.meanDuration);
  });

  it('is not used when nothing confirmed it for seven days', () => {
    const mean = { ms: 500, at: NOON };
    expect(usableMean(mean, NOON + 6 * 86_400_000)).toBe(500);
    expect(usableMean(mean, NOON + 8 * 86_400_000)).toBeUndefined();
  });
});
