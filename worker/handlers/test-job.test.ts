import { UnrecoverableError } from 'bullmq';
import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import { createLog } from '../log.ts';
import { testJob } from './test-job.ts';

const run = (data: unknown, signal = new AbortController().signal) =>
  testJob({ data } as Job, { signal, pod: 'w1', log: createLog({ level: 'silent', fields: {} }) });

it('takes as long as its payload says and names the pod that ran it', async () => {
  const startedAt = performance.now();
  expect(await run({ durationMs: 60 })).toEqual({ ok: true, pod: 'w1' });
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(58);
});

it('fails when its payload says so, in a way that is tried again', async () => {
  const failure = run({ durationMs: 0, fail: true });
  await expect(failure).rejects.toThrow('test-job failed because its payload says "fail": true');
  await expect(failure).rejects.not.toBeInstanceOf(UnrecoverableError);
});

it.each([
  [{}, 'durationMs must be a number of milliseconds'],
  [{ durationMs: '5' }, 'durationMs must be a number of milliseconds'],
  [{ durationMs: Number.NaN }, 'durationMs must be a number of milliseconds'],
  [{ durationMs: -1 }, 'durationMs must not be below 0'],
  [{ durationMs: 1e12 }, 'durationMs must be at most 86400000 (a day)'],
  [{ durationMs: 1, fail: 'yes' }, 'fail must be true or false'],
  [null, 'the payload must be an object such as {"durationMs": 1000, "fail": false}'],
])('refuses the payload %j for good and names what is wrong', async (data, problem) => {
  const failure = run(data);
  await expect(failure).rejects.toThrow(`test-job cannot run: ${problem}`);
  await expect(failure).rejects.toBeInstanceOf(UnrecoverableError);
});

it('ends at once when it is aborted', async () => {
  const abort = new AbortController();
  const running = run({ durationMs: 60_000 }, abort.signal);
  abort.abort();
  await expect(running).rejects.toThrow('aborted');
});
