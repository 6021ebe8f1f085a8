import { setTimeout as sleep } from 'node:timers/promises';
import { UnrecoverableError } from 'bullmq';
import { z } from 'zod';
import type { JobHandler } from '../dispatch.ts';

const LONGEST_MS = 24 * 60 * 60 * 1000;

const payload = z.object({
  durationMs: z
    .number({ error: 'must be a number of milliseconds' })
    .min(0, { error: 'must not be below 0' })
    .max(LONGEST_MS, { error: `must be at most ${LONGEST_MS} (a day)` }),
  fail: z.boolean({ error: 'must be true or false' }).optional(),
});

/** Takes as long as its payload `{durationMs, fail?}` says, then succeeds with `{ok, pod}`, or fails when told to. */
export const testJob: JobHandler = async (job, { signal, pod }) => {
  const parsed = payload.safeParse(job.data, {
    error: () => 'must be an object such as {"durationMs": 1000, "fail": false}',
  });
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the payload'} ${issue.message}`);
    throw new UnrecoverableError(`test-job cannot run: ${problems.join('; ')}`);
  }
  await sleep(parsed.data.durationMs, undefined, { signal });
  if (parsed.data.fail) throw new Error('test-job failed because its payload says "fail": true');
  return { ok: true, pod };
};
