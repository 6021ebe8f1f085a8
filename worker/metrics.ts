import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { PROCESS_START_MS } from './process-start.ts';
import { JOB_STATES } from './queue/read-queue.ts';
import type { QueueSnapshot } from './queue/read-queue.ts';

/**
 * How one attempt at a job ended. `failed_final` is the last word; `retried` means that BullMQ runs the job again;
 * `handed_back` that a worker which stopped gave it back to the queue, and that it counts for no attempt there.
 */
export const OUTCOMES = ['completed', 'retried', 'failed_final', 'handed_back'] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** Value of the label `name` for jobs without a handler: any number of such names may come, and none is worth a series. */
const UNKNOWN_JOB_NAME = 'unknown';

const REDIS_CONNECTED = 'worker_redis_connected';

/** Seconds. Jobs are calls of language models and the like: from an instant answer to ten minutes. */
const JOB_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600];

type Options = Readonly<{
  queue: string;
  handlerNames: readonly string[];
  concurrency: number;
  activeJobs: () => number;
  /** Sum of the times that the running jobs have run. */
  runningSeconds: () => number;
  /** Undefined while Supabase is not checked, or not checked yet. */
  supabaseConnected: () => boolean | undefined;
  /** The queue and the connection, asked once for each exposition. */
  observe: () => Promise<{ snapshot: QueueSnapshot | undefined; redisConnected: boolean }>;
}>;

export type WorkerMetrics = Readonly<{
  countAttempt: (name: string, outcome: Outcome) => void;
  observeDuration: (seconds: number) => void;
  observeWait: (seconds: number) => void;
  /** Prometheus text format 0.0.4; with names, only the series of these. Redis is read only for what needs it. */
  text: (names?: readonly string[]) => Promise<string>;
  /** The same series as a list of `{name, help, type, values}`. */
  json: () => Promise<object[]>;
  contentType: string;
}>;

const createSupabaseGauge = (registry: Registry) =>
  new Gauge({
    name: 'worker_supabase_connected',
    help: '1 while the last check of Supabase by this replica succeeded, else 0.',
    registers: [registry],
  });

/** The series of this replica, and those of the queue for as long as the queue is known. */
export const createMetrics = (options: Options): WorkerMetrics => {
  const own = new Registry();
  const attempts = createAttempts(own, options);
  const duration = createHistogram(own, 'bullmq_job_duration_seconds', {
    help: 'Time that the last attempt of a completed job ran.',
    queue: options.queue,
  });
  const wait = createHistogram(own, 'bullmq_job_wait_seconds', {
    help: 'Time from when a job could run to its first start, with the time that its queue was paused.',
    queue: options.queue,
  });
  const setOwn = createOwnGauges(own, options);
  const ofSupabase = new Registry();
  const supabase = createSupabaseGauge(ofSupabase);
  const ofQueue = new Registry();
  const setQueue = createQueueGauges(ofQueue, options.queue);

  const registries = async (): Promise<Registry[]> => {
    const { snapshot, redisConnected } = await options.observe();
    setOwn(redisConnected);
    const supabaseConnected = options.supabaseConnected();
    supabase.set(supabaseConnected ? 1 : 0);
    if (snapshot) setQueue(snapshot);
    return [own, ...(supabaseConnected === undefined ? [] : [ofSupabase]), ...(snapshot ? [ofQueue] : [])];
  };

  return {
    countAttempt: (name, outcome) => {
      const known = options.handlerNames.includes(name) ? name : UNKNOWN_JOB_NAME;
      attempts.inc({ queue: options.queue, name: known, outcome });
    },
    observeDuration: (seconds) => duration.observe({ queue: options.queue }, seconds),
    observeWait: (seconds) => wait.observe({ queue: options.queue }, seconds),
    text: async (names) => {
      if (names === undefined) return joined((await registries()).map((registry) => registry.metrics()));
      if (names.some((name) => name === REDIS_CONNECTED || own.getSingleMetric(name) === undefined))
        return joined((await registries()).flatMap((registry) => selected(registry, names)));
      // What the replica knows itself: nobody is asked for it.
      setOwn(undefined);
      return joined(selected(own, names));
    },
    json: async () =>
      (await Promise.all((await registries()).map((registry) => registry.getMetricsAsJSON())))
        .flat()
        .map(withoutInternals),
    contentType: own.contentType,
  };
};

const joined = async (parts: readonly Promise<string>[]): Promise<string> => {
  const texts = (await Promise.all(parts)).map((text) => text.trimEnd()).filter((text) => text !== '');
  return texts.length === 0 ? '' : `${texts.join('\n\n')}\n`;
};

const selected = (registry: Registry, names: readonly string[]): readonly Promise<string>[] =>
  [...new Set(names)]
    .filter((name) => registry.getSingleMetric(name) !== undefined)
    .map((name) => registry.getSingleMetricAsString(name));

const createAttempts = (registry: Registry, { queue, handlerNames }: Options) => {
  const attempts = new Counter({
    name: 'bullmq_job_attempts_total',
    help: 'Attempts at jobs that ended in this process, by job name and outcome.',
    labelNames: ['queue', 'name', 'outcome'] as const,
    registers: [registry],
  });
  // A counter that first appears as 1 hides that increase from rate().
  for (const name of [...handlerNames, UNKNOWN_JOB_NAME]) {
    for (const outcome of OUTCOMES) attempts.inc({ queue, name, outcome }, 0);
  }
  return attempts;
};

const createHistogram = (registry: Registry, name: string, { help, queue }: { help: string; queue: string }) => {
  const histogram = new Histogram({
    name,
    help,
    labelNames: ['queue'] as const,
    buckets: JOB_BUCKETS,
    registers: [registry],
  });
  histogram.zero({ queue });
  return histogram;
};

const createOwnGauges = (registry: Registry, { queue, concurrency, activeJobs, runningSeconds }: Options) => {
  const registers = [registry];
  const labelNames = ['queue'] as const;
  const active = new Gauge({
    name: 'bullmq_worker_active_jobs',
    help: 'Jobs that this replica runs now, and fetches under way that may bring one.',
    labelNames,
    registers,
  });
  const ages = new Gauge({
    name: 'bullmq_worker_active_jobs_age_seconds',
    help: 'Sum of the times that the jobs of this replica have run.',
    labelNames,
    registers,
  });
  const slots = new Gauge({
    name: 'bullmq_worker_concurrency',
    help: 'Jobs that this replica can run at a time.',
    labelNames,
    registers,
  });
  const redis = new Gauge({
    name: REDIS_CONNECTED,
    help: '1 while this replica reaches Redis and can fetch jobs, else 0.',
    registers,
  });
  const start = new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start time of the process since the Unix epoch in seconds.',
    registers,
  });
  slots.set({ queue }, concurrency);
  start.set(PROCESS_START_MS / 1000);
  return (redisConnected: boolean | undefined): void => {
    active.set({ queue }, activeJobs());
    ages.set({ queue }, runningSeconds());
    if (redisConnected !== undefined) redis.set(redisConnected ? 1 : 0);
  };
};

const createQueueGauges = (registry: Registry, queue: string) => {
  const registers = [registry];
  const note = 'The same number from every replica: use max, not sum.';
  const gauge = (name: string, help: string) =>
    new Gauge({ name, help: `${help} ${note}`, labelNames: ['queue'] as const, registers });
  const jobs = new Gauge({
    name: 'bullmq_job_count',
    help: `Jobs of the queue in each state. ${note}`,
    labelNames: ['queue', 'state'] as const,
    registers,
  });
  const overdue = gauge('bullmq_queue_overdue_jobs', 'Delayed jobs that are due and that no worker has promoted yet.');
  const paused = gauge('bullmq_queue_paused', '1 while the queue is paused, else 0.');
  const oldest = gauge('bullmq_queue_oldest_job_age_seconds', 'How long the oldest job that can run has waited.');
  const known = gauge('bullmq_queue_known', '1 when any key of the queue exists in Redis, else 0.');
  const setLimits = createLimitGauges(gauge, queue);
  return (snapshot: QueueSnapshot): void => {
    for (const state of JOB_STATES) jobs.set({ queue, state }, snapshot.counts[state]);
    overdue.set({ queue }, snapshot.overdue);
    paused.set({ queue }, snapshot.paused ? 1 : 0);
    oldest.set({ queue }, snapshot.oldestWaitSeconds);
    known.set({ queue }, snapshot.known ? 1 : 0);
    setLimits(snapshot.limits);
  };
};

type MakeGauge = (name: string, help: string) => Gauge<'queue'>;

/** BullMQ's limits of the whole queue: more replicas than they let work are of no use. */
const createLimitGauges = (gauge: MakeGauge, queue: string): ((limits: QueueSnapshot['limits']) => void) => {
  const concurrency = gauge(
    'bullmq_queue_concurrency_limit',
    'Jobs of the queue that may run at once, 0 for any number.',
  );
  const jobs = gauge(
    'bullmq_queue_rate_limit_jobs',
    'Jobs that may start in a period of the rate limit, 0 for any number.',
  );
  const period = gauge('bullmq_queue_rate_limit_period_seconds', 'Period of the rate limit, 0 for none.');
  const remaining = gauge('bullmq_queue_rate_limit_remaining_seconds', 'How long the rate limit lets no job start.');
  return (limits) => {
    concurrency.set({ queue }, limits.concurrency);
    jobs.set({ queue }, limits.rateJobs);
    period.set({ queue }, limits.ratePeriodSeconds);
    remaining.set({ queue }, limits.remainingSeconds);
  };
};

const withoutInternals = ({
  name,
  help,
  type,
  values,
}: {
  name: string;
  help: string;
  type: unknown;
  values?: unknown;
}) => ({
  name,
  help,
  type,
  values,
});
