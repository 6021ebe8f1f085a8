import { Gauge, type Registry } from 'prom-client';

/** What Redis holds of one queue; times in milliseconds since the epoch. */
export type QueueFacts = Readonly<{
  at: number;
  jobs: Readonly<Record<string, number>>;
  overdue: number;
  paused: boolean;
  exists: boolean;
  oldestReadyAt?: number | undefined;
  concurrency?: number | undefined;
  rateLimit?: Readonly<{ max: number; durationMs: number }> | undefined;
  limitedForMs?: number | undefined;
}>;

type PoolRef = Readonly<{ namespace: string; name: string }>;
type Shown = Readonly<{ pool: PoolRef; queue: string; facts: QueueFacts }>;

/**
 * The queue gauges that workers export, for pools that have none: a dashboard and an alert see the backlog of a pool at
 * zero. As soon as there is a replica the series are its own, so that no number is there twice.
 */
export type QueueGauges = Readonly<{
  show: (pool: PoolRef, queue: string, facts: QueueFacts) => void;
  /** A newer reading of a queue that is shown; of another it says nothing. */
  renew: (pool: PoolRef, facts: QueueFacts) => void;
  hide: (pool: PoolRef) => void;
}>;

/** A sleeping pool is looked at every half a minute; what is twice as old is known no more. */
const STALE_MS = 60_000;

export function createQueueGauges(registry: Registry, now: () => number = Date.now): QueueGauges {
  const shown = new Map<string, Shown>();
  const keyOf = ({ namespace, name }: PoolRef) => `${namespace}/${name}`;
  for (const { name, help, values } of SERIES) {
    const states = name === JOB_COUNT ? ['state'] : [];
    const gauge = new Gauge({
      name,
      help,
      labelNames: ['namespace', 'pool', 'queue', ...states],
      registers: [registry],
      collect: () => {
        gauge.reset();
        for (const { pool, queue, facts } of shown.values()) {
          if (now() - facts.at > STALE_MS) continue;
          const labels = { namespace: pool.namespace, pool: pool.name, queue };
          for (const [state, value] of Object.entries(values(facts, now())))
            gauge.set(state === '' ? labels : { ...labels, state }, value);
        }
      },
    });
  }
  return {
    show: (pool, queue, facts) => void shown.set(keyOf(pool), { pool, queue, facts }),
    renew: (pool, facts) => {
      const before = shown.get(keyOf(pool));
      if (before !== undefined) shown.set(keyOf(pool), { ...before, facts });
    },
    hide: (pool) => void shown.delete(keyOf(pool)),
  };
}

type Series = Readonly<{
  name: string;
  help: string;
  /** By the label `state`; '' for a series without it. */
  values: (facts: QueueFacts, now: number) => Readonly<Record<string, number>>;
}>;

const JOB_COUNT = 'bullmq_job_count';
const one = (value: number): Readonly<Record<string, number>> => ({ '': value });

/** Names and meaning are those of the workers' series. */
const SERIES: readonly Series[] = [
  {
    name: JOB_COUNT,
    help: 'Jobs of the queue of a pool without a replica, in each state.',
    values: ({ jobs }) => jobs,
  },
  {
    name: 'bullmq_queue_overdue_jobs',
    help: 'Delayed jobs that are due and that no worker has promoted yet.',
    values: ({ overdue }) => one(overdue),
  },
  {
    name: 'bullmq_queue_paused',
    help: '1 while the queue is paused, else 0.',
    values: ({ paused }) => one(paused ? 1 : 0),
  },
  {
    name: 'bullmq_queue_known',
    help: '1 when any key of the queue exists in Redis, else 0.',
    values: ({ exists }) => one(exists ? 1 : 0),
  },
  {
    name: 'bullmq_queue_oldest_job_age_seconds',
    help: 'How long the oldest job that can run has waited.',
    values: ({ oldestReadyAt }, now) => one(oldestReadyAt === undefined ? 0 : Math.max(0, now - oldestReadyAt) / 1000),
  },
  {
    name: 'bullmq_queue_concurrency_limit',
    help: 'Jobs of the queue that may run at once, 0 for any number.',
    values: ({ concurrency = 0 }) => one(concurrency),
  },
  {
    name: 'bullmq_queue_rate_limit_jobs',
    help: 'Jobs that may start in a period of the rate limit, 0 for any number.',
    values: ({ rateLimit }) => one(rateLimit?.max ?? 0),
  },
  {
    name: 'bullmq_queue_rate_limit_period_seconds',
    help: 'Period of the rate limit, 0 for none.',
    values: ({ rateLimit }) => one((rateLimit?.durationMs ?? 0) / 1000),
  },
  {
    name: 'bullmq_queue_rate_limit_remaining_seconds',
    help: 'How long the rate limit lets no job start.',
    values: ({ limitedForMs = 0, at }, now) => one(Math.max(0, at + limitedForMs - now) / 1000),
  },
];
