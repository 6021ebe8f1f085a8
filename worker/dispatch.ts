import { UnrecoverableError } from 'bullmq';
import type { Job, Processor } from 'bullmq';
import type { Log } from './log.ts';

export type JobContext = Readonly<{
  /** Aborts when the job must end before it is done; pass it on to whatever the job waits for. */
  signal: AbortSignal;
  /** Name of the replica that runs the job. */
  pod: string;
  log: Log;
}>;

/**
 * Runs one job and returns its result, which must be JSON. Whatever it throws fails this attempt, and an
 * `UnrecoverableError` fails the job. A job can run twice (at-least-once delivery), so a handler must bear that.
 */
export type JobHandler = (job: Job, context: JobContext) => Promise<unknown>;

/** Handlers by job name. */
export type JobHandlers = Readonly<Record<string, JobHandler>>;

/** Picks the handler by the job's name. A job that no handler takes fails for good: no retry would find one. */
export const createProcessor = (handlers: JobHandlers, { pod, log }: Omit<JobContext, 'signal'>): Processor => {
  const byName = new Map(Object.entries(handlers));
  const known = [...byName.keys()].toSorted().join(', ') || 'none';
  const never = new AbortController().signal;
  // Exactly three parameters, none with a default: BullMQ gives a signal only to a function with `length` 3.
  return async (job, _token, signal) => {
    const handle = byName.get(job.name);
    if (!handle) {
      throw new UnrecoverableError(`no handler for jobs named "${job.name}"; this worker handles: ${known}`);
    }
    return await handle(job, { signal: signal ?? never, pod, log });
  };
};
