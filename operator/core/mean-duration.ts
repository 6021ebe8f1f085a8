import type { Millis } from './known.ts';
import type { ScaleMemory } from './scale-memory.ts';
import type { ReplicaView } from './state.ts';

type Counters = ScaleMemory['counters'];
type Mean = NonNullable<ScaleMemory['meanDuration']>;

/** So many finished jobs weigh as much as everything that was known before. */
const HALF_WEIGHT_JOBS = 20;

/** A mean that nothing newer confirms is used for this long; jobs change, and after a week the target is the better guess. */
const MEAN_LASTS_MS: Millis = 7 * 24 * 3600 * 1000;

/**
 * The mean duration of the jobs that ended since the last look, from differences of each replica's
 * `bullmq_job_duration_seconds_{sum,count}`. A counter that begins again (other process start, or lower) counts from 0.
 */
export function learnMeanDuration(
  memory: Pick<ScaleMemory, 'counters' | 'meanDuration'>,
  replicas: readonly ReplicaView[],
  now: Millis,
): Pick<ScaleMemory, 'counters' | 'meanDuration'> {
  const counters: Record<string, Counters[string]> = {};
  let seconds = 0;
  let jobs = 0;
  for (const replica of replicas) {
    const before = memory.counters[replica.uid];
    if (!replica.report.ok) {
      if (before !== undefined) counters[replica.uid] = before;
      continue;
    }
    const report = replica.report.value;
    const next = { processStart: report.processStart, sum: report.durationSum, count: report.durationCount };
    counters[replica.uid] = next;
    const since = difference(before, next);
    seconds += since.seconds;
    jobs += since.jobs;
  }
  const meanDuration =
    jobs > 0 ? blend(memory.meanDuration, { ms: (seconds / jobs) * 1000, jobs, now }) : memory.meanDuration;
  return meanDuration === undefined ? { counters } : { counters, meanDuration };
}

function difference(before: Counters[string] | undefined, next: Counters[string]): { seconds: number; jobs: number } {
  const continues = before !== undefined && before.processStart === next.processStart && before.count <= next.count;
  // The first sight of a replica counts its whole life: its jobs ended since the process started.
  const seconds = continues ? next.sum - before.sum : next.sum;
  return { seconds: Math.max(0, seconds), jobs: continues ? next.count - before.count : next.count };
}

function blend(before: Mean | undefined, news: { ms: number; jobs: number; now: Millis }): Mean {
  if (before === undefined) return { ms: news.ms, at: news.now };
  const weight = news.jobs / (news.jobs + HALF_WEIGHT_JOBS);
  return { ms: before.ms + (news.ms - before.ms) * weight, at: news.now };
}

/** The first moment at which `meanDuration` is used no more. */
export const meanExpiresAt = ({ meanDuration }: Pick<ScaleMemory, 'meanDuration'>): Millis | undefined =>
  meanDuration === undefined ? undefined : meanDuration.at + MEAN_LASTS_MS + 1;

/** How long the running jobs have run on average, of the replicas that say so; undefined when none does, or none runs. */
export function meanRunningMs(replicas: readonly ReplicaView[]): Millis | undefined {
  let seconds = 0;
  let jobs = 0;
  for (const { report } of replicas) {
    if (!report.ok || report.value.runningSeconds === undefined) continue;
    seconds += report.value.runningSeconds;
    jobs += report.value.active;
  }
  return jobs === 0 ? undefined : (seconds / jobs) * 1000;
}

/**
 * S: the larger of the mean of the jobs that ended lately and the mean age of those that run, so that jobs which became
 * longer are noticed before the first of them ends. Undefined when nothing that ended confirms it for seven days: the
 * age of a job that has just begun says nothing of its length.
 */
export function usableMean(
  { meanDuration, meanRunning }: Pick<ScaleMemory, 'meanDuration' | 'meanRunning'>,
  now: Millis,
): Mean | undefined {
  if (meanDuration === undefined || now - meanDuration.at > MEAN_LASTS_MS) return undefined;
  return meanRunning !== undefined && meanRunning > meanDuration.ms ? { ms: meanRunning, at: now } : meanDuration;
}
