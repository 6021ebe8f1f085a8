import { describe, expect, it } from 'vitest';
import { known, unknown } from './known.ts';
import { learnMeanDuration, meanRunningMs, usableMean } from './mean-duration.ts';
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
    const meanDuration = { ms: 500, at: NOON };
    expect(usableMean({ meanDuration }, NOON + 6 * 86_400_000)).toEqual(meanDuration);
    expect(usableMean({ meanDuration }, NOON + 8 * 86_400_000)).toBeUndefined();
  });
});

describe('jobs that become longer', () => {
  const running = (name: string, active: number, runningSeconds?: number) =>
    replicaOf(name, {
      report: known(
        {
          active,
          slots: 5,
          processStart: 1,
          durationSum: 0,
          durationCount: 0,
          ...(runningSeconds === undefined ? {} : { runningSeconds }),
        },
        NOON,
      ),
    });

  it('are noticed by the mean age of those that run, before the first of them ends', () => {
    const meanRunning = meanRunningMs([running('a', 3, 120), running('b', 1, 80)]);
    expect(meanRunning).toBe(50_000);
    const meanDuration = { ms: 4000, at: NOON - 60_000 };
    expect(usableMean({ meanDuration, ...(meanRunning === undefined ? {} : { meanRunning }) }, NOON)).toEqual({
      ms: 50_000,
      at: NOON,
    });
    expect(usableMean({ meanDuration, meanRunning: 1000 }, NOON)).toEqual(meanDuration);
  });

  it('say nothing while none has ever ended: a job that has just begun would count as short', () => {
    expect(usableMean({ meanRunning: 1000 }, NOON)).toBeUndefined();
  });

  it('are taken from the replicas that say so, and from nobody when none does', () => {
    const silent = replicaOf('c', { report: unknown('timed out') });
    expect(meanRunningMs([running('a', 2, 60), running('b', 8), silent])).toBe(30_000);
    expect(meanRunningMs([running('b', 8), silent, running('d', 0, 0)])).toBeUndefined();
  });
});
