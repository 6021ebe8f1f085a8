import type { Job, Worker } from 'bullmq';
import { describeError } from '../log.ts';
import type { ErrorReport, Log } from '../log.ts';
import type { WorkerMetrics } from '../metrics.ts';

/** When this replica last took a job and last ended an attempt, in milliseconds since the epoch. */
export type Progress = { lastFetchAt: number | undefined; lastFinishAt: number | undefined };

type Sinks = Readonly<{ metrics: WorkerMetrics; log: Log; reportError: ErrorReport }>;

/** Turns BullMQ's events into series, log lines and the progress that `/health` reports. */
export const watchOutcomes = (worker: Worker, { metrics, log, reportError }: Sinks): Progress => {
  const progress: Progress = { lastFetchAt: undefined, lastFinishAt: undefined };

  worker.on('active', (job) => {
    progress.lastFetchAt = Date.now();
    const wait = firstWaitSeconds(job);
    if (wait !== undefined) metrics.observeWait(wait);
  });

  worker.on('completed', (job) => {
    progress.lastFinishAt = Date.now();
    metrics.countAttempt(job.name, 'completed');
    if (job.finishedOn && job.processedOn) metrics.observeDuration((job.finishedOn - job.processedOn) / 1000);
    log.debug(describeJob(job), 'job completed');
  });

  worker.on('failed', (job, error) => {
    progress.lastFinishAt = Date.now();
    if (!job) return;
    const failure = { ...describeJob(job), error: describeError(error) };
    // Only this tells the last attempt: an UnrecoverableError ends a job before its attempts are used up.
    if (job.finishedOn) {
      metrics.countAttempt(job.name, 'failed_final');
      log.warn(failure, 'job failed for good');
    } else {
      metrics.countAttempt(job.name, 'retried');
      log.info(failure, 'job failed and will be tried again');
    }
  });

  worker.on('stalled', (jobId) => log.warn({ jobId }, 'job lost its worker and waits again'));
  worker.on('error', (error) => reportError('queue error', error));
  return progress;
};

/**
 * Seconds from when the job could run to its first start. Undefined for a later start: BullMQ keeps no time of when a
 * retry became due. A job promoted before its time would give less than 0.
 */
const firstWaitSeconds = (job: Job): number | undefined => {
  if (job.attemptsStarted !== 1 || job.processedOn === undefined) return undefined;
  return Math.max(0, job.processedOn - job.timestamp - (job.opts.delay ?? 0)) / 1000;
};

const describeJob = (job: Job) => ({ jobId: job.id, jobName: job.name, attempt: job.attemptsMade });
