import type { Job } from 'bullmq';
import { describeError } from '../log.ts';
import type { ErrorReport, Log } from '../log.ts';
import type { WorkerMetrics } from '../metrics.ts';
import type { QueueWorker } from './queue-worker.ts';

/** When this replica last took a job and last ended an attempt, in milliseconds since the epoch. */
export type Progress = {
  lastFetchAt: number | undefined;
  lastFinishAt: number | undefined;
  /** The job of `lastFinishAt`. */
  lastFinishedJobId: string | undefined;
};

type Sinks = Readonly<{ metrics: WorkerMetrics; log: Log; reportError: ErrorReport }>;

/** Turns BullMQ's events into series, log lines and the progress that `/health` reports. */
export const watchOutcomes = (worker: QueueWorker, { metrics, log, reportError }: Sinks): Progress => {
  const progress: Progress = { lastFetchAt: undefined, lastFinishAt: undefined, lastFinishedJobId: undefined };
  const finished = (job: Job | undefined): void => {
    progress.lastFinishAt = Date.now();
    progress.lastFinishedJobId = job?.id;
  };

  worker.on('active', (job) => {
    progress.lastFetchAt = Date.now();
    const wait = firstWaitSeconds(job);
    if (wait !== undefined) metrics.observeWait(wait);
  });

  worker.on('completed', (job) => {
    finished(job);
    metrics.countAttempt(job.name, 'completed');
    if (job.finishedOn && job.processedOn) metrics.observeDuration((job.finishedOn - job.processedOn) / 1000);
    log.debug(describeJob(job), 'job completed');
  });

  worker.on('failed', (job, error) => {
    finished(job);
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

  worker.jobs.onHandedBack = (job) => {
    metrics.countAttempt(job.name, 'handed_back');
    log.warn(describeJob(job), 'job handed back before it was done');
  };

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
