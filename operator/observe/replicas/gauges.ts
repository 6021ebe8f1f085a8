import { INT32_MAX } from '../../api/names.ts';
import { type Known, known, type Millis, unknown } from '../../core/known.ts';
import type { QueueSnapshot, ReplicaReport } from '../../core/state.ts';
import type { Exposition } from '../queue/exposition.ts';

/** The series that a worker must export; `bullmq_job_count` has one sample for each state. */
const JOB_COUNT = 'bullmq_job_count';
const OVERDUE = 'bullmq_queue_overdue_jobs';
const PAUSED = 'bullmq_queue_paused';
const KNOWN = 'bullmq_queue_known';
const OLDEST_AGE = 'bullmq_queue_oldest_job_age_seconds';
const CONCURRENCY_LIMIT = 'bullmq_queue_concurrency_limit';
const RATE_LIMIT_JOBS = 'bullmq_queue_rate_limit_jobs';
const RATE_LIMIT_PERIOD = 'bullmq_queue_rate_limit_period_seconds';
const RATE_LIMIT_REMAINING = 'bullmq_queue_rate_limit_remaining_seconds';
const ACTIVE = 'bullmq_worker_active_jobs';
const CONCURRENCY = 'bullmq_worker_concurrency';
const ACTIVE_AGE = 'bullmq_worker_active_jobs_age_seconds';
const PROCESS_START = 'process_start_time_seconds';
const DURATION = 'bullmq_job_duration_seconds';

/** All that is kept of a replica's text. */
export const WANTED_SERIES: ReadonlySet<string> = new Set([
  JOB_COUNT,
  OVERDUE,
  PAUSED,
  KNOWN,
  OLDEST_AGE,
  CONCURRENCY_LIMIT,
  RATE_LIMIT_JOBS,
  RATE_LIMIT_PERIOD,
  RATE_LIMIT_REMAINING,
  ACTIVE,
  ACTIVE_AGE,
  CONCURRENCY,
  PROCESS_START,
  `${DURATION}_sum`,
  `${DURATION}_count`,
]);

/** What every replica is asked for: the numbers of its own. The queue's are the same from all, so one is asked for them. */
export const OWN_METRICS: readonly string[] = [ACTIVE, ACTIVE_AGE, CONCURRENCY, PROCESS_START, DURATION];

/** A series that is missing, doubled or not a number that a count or a time can be. */
class SeriesError extends Error {}

type Selector = Readonly<Record<string, string>>;

const nameOf = (name: string, selector: Selector): string => {
  const labels = Object.entries(selector).map(([label, value]) => `${label}="${value}"`);
  return labels.length === 0 ? name : `${name}{${labels.join(',')}}`;
};

const valuesOf = ({ samples }: Exposition, name: string, selector: Selector): readonly number[] =>
  samples
    .filter(
      (sample) =>
        sample.name === name && Object.entries(selector).every(([label, value]) => sample.labels[label] === value),
    )
    .map(({ value }) => value);

/** More seconds than there have been, and more of anything than is counted: what follows from it fits into no status. */
const MOST = 1e15;

const checked = (value: number, series: string): number => {
  if (!(value >= 0 && value <= MOST)) throw new SeriesError(`${series} is ${value}`);
  return value;
};

/** The value of the one series that is meant. */
const gauge = (exposition: Exposition, name: string, selector: Selector): number => {
  const values = valuesOf(exposition, name, selector);
  const series = nameOf(name, selector);
  const [value] = values;
  if (value === undefined) throw new SeriesError(`${series} is missing`);
  if (values.length > 1) throw new SeriesError(`${series} is there ${values.length} times`);
  return checked(value, series);
};

/** A number of jobs. The status could not say the replicas that more than `INT32_MAX` would need. */
const jobs = (exposition: Exposition, name: string, selector: Selector): number => {
  const value = gauge(exposition, name, selector);
  if (!Number.isInteger(value) || value > INT32_MAX)
    throw new SeriesError(`${nameOf(name, selector)} is ${value}, which is no number of jobs`);
  return value;
};

/**
 * The sum over all series of a histogram's part. A histogram that is declared and has no series has counted nothing yet:
 * for a counter, unlike for a gauge, that is what a missing series means.
 */
const counter = (exposition: Exposition, name: string, selector: Selector): number => {
  const values = valuesOf(exposition, name, selector);
  if (values.length === 0 && !exposition.types.has(DURATION))
    throw new SeriesError(`${nameOf(name, selector)} is missing`);
  return checked(
    values.reduce((sum, value) => sum + value, 0),
    nameOf(name, selector),
  );
};

const reading = <T>(read: () => T, at: Millis): Known<T> => {
  try {
    return known(read(), at);
  } catch (error) {
    if (error instanceof SeriesError) return unknown(error.message);
    throw error;
  }
};

/** What the replica says of itself. */
export const reportOf = (exposition: Exposition, queue: string, at: Millis): Known<ReplicaReport> =>
  reading(() => {
    const [age] = valuesOf(exposition, ACTIVE_AGE, { queue });
    return {
      active: jobs(exposition, ACTIVE, { queue }),
      slots: jobs(exposition, CONCURRENCY, { queue }),
      processStart: gauge(exposition, PROCESS_START, {}),
      durationSum: counter(exposition, `${DURATION}_sum`, { queue }),
      durationCount: Math.round(counter(exposition, `${DURATION}_count`, { queue })),
      ...(age === undefined ? {} : { runningSeconds: checked(age, ACTIVE_AGE) }),
    };
  }, at);

/** BullMQ's own limits of the queue; the gauges say 0 for one that is not set. */
const limitsOf = (
  exposition: Exposition,
  queue: string,
): Pick<QueueSnapshot, 'concurrency' | 'rateLimit' | 'limitedForMs'> => {
  const [concurrency, max] = [CONCURRENCY_LIMIT, RATE_LIMIT_JOBS].map((name) => gauge(exposition, name, { queue }));
  const [durationMs, limitedForMs] = [RATE_LIMIT_PERIOD, RATE_LIMIT_REMAINING].map((name) =>
    Math.round(gauge(exposition, name, { queue }) * 1000),
  );
  return {
    ...(concurrency ? { concurrency } : {}),
    ...(max && durationMs ? { rateLimit: { max, durationMs } } : {}),
    ...(limitedForMs ? { limitedForMs } : {}),
  };
};

/**
 * What the replica read of the queue in Redis: the same from every replica. A worker leaves these gauges out while its
 * own last reading is too old, so a missing one is unknown.
 */
export const queueOf = (exposition: Exposition, queue: string, at: Millis): Known<QueueSnapshot> =>
  reading(() => {
    const count = (state: string) => jobs(exposition, JOB_COUNT, { queue, state });
    const overdue = jobs(exposition, OVERDUE, { queue });
    const ready = count('waiting') + count('prioritized') + overdue;
    const [age] = valuesOf(exposition, OLDEST_AGE, { queue });
    return {
      ready,
      active: count('active'),
      delayed: Math.max(0, count('delayed') - overdue),
      failed: count('failed'),
      paused: gauge(exposition, PAUSED, { queue }) > 0,
      ...limitsOf(exposition, queue),
      ...(age === undefined || ready === 0 ? {} : { oldestWaitMs: Math.round(checked(age, OLDEST_AGE) * 1000) }),
      exists: gauge(exposition, KNOWN, { queue }) > 0,
      source: 'Workers' as const,
    };
  }, at);
