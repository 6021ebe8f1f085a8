import type { Job } from 'bullmq';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Cordon } from './cordon.ts';
import { createLog } from './log.ts';
import { FetchGate } from './queue/fetch-gate.ts';
import { JobsInHand } from './queue/jobs-in-hand.ts';

const NOW = Date.UTC(2026, 0, 1, 12);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'], now: NOW });
});

afterEach(() => {
  vi.useRealTimers();
});

const create = () => {
  const fetcher = { stopFetching: async () => {}, fetchAgain: async () => {} };
  const gate = new FetchGate(fetcher, () => {});
  const jobs = new JobsInHand({ moveToWait: async () => {} });
  const log = createLog({ level: 'silent', fields: {} });
  return { cordon: new Cordon({ gate, jobs, log, timing: { cordonSettleMs: 1_000 } }), gate, jobs };
};

it('ends to the second, and says how much is left', async () => {
  const { cordon, gate } = create();
  await cordon.cordon(60);
  expect(cordon.state).toEqual({ cordonedUntil: '2026-01-01T12:01:00.000Z', cordonSecondsLeft: 60 });
  await vi.advanceTimersByTimeAsync(59_900);
  expect(gate.because('cordoned')).toBe('cordoned by the operator');
  expect(cordon.state.cordonSecondsLeft).toBeCloseTo(0.1);
  await vi.advanceTimersByTimeAsync(200);
  expect([cordon.holds, gate.because('cordoned')]).toEqual([false, undefined]);
  expect(cordon.state).toEqual({ cordonedUntil: null, cordonSecondsLeft: 0 });
});

it('lasts as long as it should when somebody sets the clock', async () => {
  const { cordon } = create();
  await cordon.cordon(60);
  vi.setSystemTime(NOW + 86_400_000);
  await vi.advanceTimersByTimeAsync(30_000);
  expect([cordon.holds, cordon.state.cordonSecondsLeft]).toEqual([true, 30]);
  vi.setSystemTime(NOW - 86_400_000);
  expect(cordon.state.cordonSecondsLeft).toBe(30);
  await vi.advanceTimersByTimeAsync(30_100);
  expect(cordon.holds).toBe(false);
});

it('is replaced by a further call, be it longer or shorter', async () => {
  const { cordon } = create();
  await cordon.cordon(60);
  await vi.advanceTimersByTimeAsync(50_000);
  await cordon.cordon(60);
  await vi.advanceTimersByTimeAsync(50_000);
  expect(cordon.state.cordonSecondsLeft).toBe(10);
  await cordon.cordon(5);
  await vi.advanceTimersByTimeAsync(5_100);
  expect(cordon.holds).toBe(false);
});

it('waits for a fetch that is under way, at most for its limit', async () => {
  const { cordon, jobs } = create();
  const { promise: fetched, resolve: arrive } = Promise.withResolvers<Job>();
  const fetching = jobs.whileFetching(fetched);
  let answered = 0;
  void cordon.cordon(60).then(() => (answered += 1));
  await vi.advanceTimersByTimeAsync(900);
  expect([answered, jobs.count]).toEqual([0, 1]);
  arrive({ id: '1' } as Job);
  await fetching;
  await vi.advanceTimersByTimeAsync(0);
  expect([answered, jobs.count]).toEqual([1, 1]);

  void jobs.whileFetching(new Promise<Job>(() => {}));
  void cordon.cordon(60).then(() => (answered += 1));
  await vi.advanceTimersByTimeAsync(1_000);
  expect([answered, jobs.count]).toEqual([2, 2]);
});
