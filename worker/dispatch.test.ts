import { UnrecoverableError } from 'bullmq';
import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import { createProcessor } from './dispatch.ts';
import { createLog } from './log.ts';

const context = { pod: 'w1', log: createLog({ level: 'silent', fields: {} }) };
const job = (name: string) => ({ name }) as Job;

it('gives a job to the handler of its name, with the pod and a signal', async () => {
  const abort = new AbortController();
  const process = createProcessor(
    { a: async () => 'wrong', b: async (job, { pod, signal }) => [job.name, pod, signal] },
    context,
  );
  expect(await process(job('b'), 'token', abort.signal)).toEqual(['b', 'w1', abort.signal]);
});

it('fails a job that nobody handles for good, naming the handlers that there are', async () => {
  const process = createProcessor({ send: async () => 1, report: async () => 1 }, context);
  const failure = process(job('toString'), 'token');
  await expect(failure).rejects.toThrow('no handler for jobs named "toString"; this worker handles: report, send');
  await expect(failure).rejects.toBeInstanceOf(UnrecoverableError);
});

it('is a function of three parameters, or BullMQ would pass no signal', () => {
  expect(createProcessor({}, context)).toHaveLength(3);
});
