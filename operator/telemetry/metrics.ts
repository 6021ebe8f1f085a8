import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { createQueueGauges, type QueueGauges } from './queue-gauges.ts';
import { createHealthMetrics, type HealthMetrics } from './health-metrics.ts';

/** The operator's own series. Labels are bounded: pools, reasons, outcomes; never a pod or a job. */
export type PoolMetrics = Readonly<{
  decisions: Counter<'reason'>;
  replicas: Gauge<'namespace' | 'pool' | 'kind'>;
  health: HealthMetrics;
  passSeconds: Histogram;
  writes: Counter<'object' | 'outcome'>;
  scaleDowns: Counter<'outcome'>;
  jobsInterrupted: Counter<'cause'>;
  unhandledErrors: Counter;
  queues: QueueGauges;
  /** The pool's share of commands that were sent to its Redis. */
  redisCommands: (pool: Readonly<{ namespace: string; name: string }>, commands: number) => void;
  forget: (pool: Readonly<{ namespace: string; name: string }>) => void;
}>;

const createUnhandledErrors = (registry: Registry): Counter =>
  new Counter({
    name: 'awp_unhandled_errors_total',
    help: 'Errors that no part of the process handled; each ends it.',
    registers: [registry],
  });

export function createPoolMetrics(registry: Registry): PoolMetrics {
  const registers = [registry];
  const health = createHealthMetrics(registry);
  const replicas = new Gauge({
    name: 'awp_pool_replicas',
    help: 'Replicas of a pool by kind: current, ready, wanted.',
    labelNames: ['namespace', 'pool', 'kind'],
    registers,
  });
  const redisCommands = new Counter({
    name: 'awp_redis_commands_total',
    help: "Redis commands that the operator sent for a pool; one that served many pools counts as each one's share.",
    labelNames: ['namespace', 'pool'],
    registers,
  });
  const queues = createQueueGauges(registry);
  return {
    queues,
    redisCommands: ({ namespace, name }, commands) => redisCommands.inc({ namespace, pool: name }, commands),
    replicas,
    health,
    decisions: new Counter({
      name: 'awp_decision_total',
      help: 'Decisions by reason.',
      labelNames: ['reason'],
      registers,
    }),
    passSeconds: new Histogram({
      name: 'awp_pass_duration_seconds',
      help: 'Duration of one pass over a pool: observe, decide, act.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    writes: new Counter({
      name: 'awp_writes_total',
      help: 'Writes to the cluster by object (deployment, status) and outcome.',
      labelNames: ['object', 'outcome'],
      registers,
    }),
    scaleDowns: createScaleDowns(registry),
    jobsInterrupted: createJobsInterrupted(registry),
    unhandledErrors: createUnhandledErrors(registry),
    forget: ({ namespace, name }) => {
      queues.hide({ namespace, name });
      health.forget({ namespace, name });
      redisCommands.remove({ namespace, pool: name });
      for (const kind of ['current', 'ready', 'wanted']) replicas.remove({ namespace, pool: name, kind });
    },
  };
}

/** A rate needs a first value: a counter that appears with its first event shows no rise. */
function createScaleDowns(registry: Registry): Counter<'outcome'> {
  const counter = new Counter({
    name: 'awp_scale_down_total',
    help: 'Replicas whose drain ended, by how: removed when proven idle, wanted again, or longer than drain.timeout.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  for (const outcome of ['proven', 'reversed', 'timed_out'] as const) counter.inc({ outcome }, 0);
  return counter;
}

/** Likewise: that scale_down stays 0 can be watched only where it is there. */
function createJobsInterrupted(registry: Registry): Counter<'cause'> {
  const counter = new Counter({
    name: 'awp_jobs_interrupted_total',
    help: 'Jobs that a worker did not end before it had to go, by what ended it; they are started again.',
    labelNames: ['cause'],
    registers: [registry],
  });
  for (const cause of ['scale_down', 'rollout', 'restart', 'disruption', 'unknown']) counter.inc({ cause }, 0);
  return counter;
}
