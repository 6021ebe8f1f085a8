import type { Decision, Deletion, Interruption } from '../core/decision.ts';
import type { Care } from '../core/health/look-after.ts';
import type { DrainOutcome } from '../core/drain/outcome.ts';
import type { PoolEvent } from '../core/pool-event.ts';
import { messageOf, type Logger } from '../kube/log.ts';
import { keyOf, type ObjectRef } from '../kube/resources.ts';
import type { PoolMetrics } from '../telemetry/metrics.ts';
import type { QueueFacts } from '../telemetry/queue-gauges.ts';
import type { DeleteOutcome } from './restart.ts';

export type PoolIdentity = ObjectRef & Readonly<{ uid: string }>;

export type ReporterOptions = Readonly<{
  log: Logger;
  metrics: PoolMetrics;
  /** Writes an event about the pool; never throws. */
  record: (pool: PoolIdentity, event: PoolEvent) => void;
}>;

/** Tells people and monitors of decisions: the one `because` goes into the log line, the metric and the events. */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #said = new Map<string, string>();
  readonly #refused = new Map<string, string>();

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Counts every decision, and logs one whose reason or number is new, or that changes something. */
  decided(pool: PoolIdentity, { because, wanted, status, actions, care }: Decision): void {
    const { metrics, log } = this.#options;
    metrics.decisions.inc({ reason: because.reason });
    for (const kind of ['current', 'ready', 'wanted'] as const) {
      metrics.replicas.set({ namespace: pool.namespace, pool: pool.name, kind }, status.replicas?.[kind] ?? 0);
    }
    metrics.health.observe(pool, {
      dependencies: care.verdicts.map(({ name, counts, breaker }) => ({ name, counts, breaker })),
      budgetLeft: care.plan.budget.left,
    });
    this.#health(pool, care);
    const headline = `${because.reason} ${wanted}`;
    const isNew = this.#said.get(keyOf(pool)) !== headline;
    this.#said.set(keyOf(pool), headline);
    if (!isNew && actions.length === 0) return;
    const replicas = actions[0]?.manifest.spec.replicas;
    const number = replicas === undefined ? {} : { replicas };
    log.info({ pool: keyOf(pool), reason: because.reason, because: because.message, wanted, ...number }, 'decided');
  }

  /** The queue as Redis told it, of a pool that has no replica to export it; undefined when it has one, or Redis did not serve. */
  observed(pool: PoolIdentity, queue: Readonly<{ name: string; facts: QueueFacts }> | undefined): void {
    const { queues } = this.#options.metrics;
    if (queue === undefined) queues.hide(pool);
    else queues.show(pool, queue.name, queue.facts);
  }

  /** The whole sentence on dependencies and failed replicas, whenever what they are changes. */
  #health(pool: PoolIdentity, { verdicts, plan }: Care): void {
    const { log } = this.#options;
    const failures = plan.failures.map(({ name, reason, because }) => ({ replica: name, reason, because }));
    const headline = [
      ...verdicts.map(({ name, sick, breaker }) => `${name} ${sick} ${breaker}`),
      ...failures.map(({ replica, reason }) => `${replica} ${reason}`),
      `${plan.budget.state} ${plan.budget.left}`,
    ].join(', ');
    const key = `${keyOf(pool)} health`;
    const before = this.#said.get(key);
    this.#said.set(key, headline);
    const isWell = failures.length === 0 && verdicts.every(({ sick, frozen }) => sick === 'Nobody' && !frozen);
    // Of a pool that was never anything but well, nothing is said.
    if (before === headline || (before === undefined && isWell)) return;
    const dependencies = verdicts.map(({ name, sick, breaker, message }) => ({
      name,
      sick,
      breaker,
      because: message,
    }));
    log.info({ pool: keyOf(pool), dependencies, failures, retries: plan.budget.message }, 'health');
  }

  /** A failed replica was to be deleted. */
  restarted(pool: Parameters<Reporter['refused']>[0], deletion: Deletion, outcome: DeleteOutcome): void {
    const { metrics, log } = this.#options;
    const { name, reason, because, event } = deletion;
    metrics.writes.inc({ object: 'pod', outcome: outcome.kind });
    if (outcome.kind === 'refused') return this.refused(pool, outcome.because);
    if (outcome.kind !== 'deleted') return;
    metrics.health.restarts.inc({ reason });
    log.warn({ pool: keyOf(pool), replica: name, reason, because }, 'replica restarted');
    this.events(pool, [event]);
  }

  /** One line and one count for each replica whose drain has ended. */
  drained(pool: PoolIdentity, outcomes: readonly DrainOutcome[]): void {
    const { metrics, log } = this.#options;
    for (const { outcome, replica, because } of outcomes) {
      metrics.scaleDowns.inc({ outcome });
      log.info({ pool: keyOf(pool), replica, outcome, because }, 'drained');
    }
  }

  /** One line, one count and one event for each replica that ended before its jobs had. */
  interrupted(pool: PoolIdentity, interruptions: readonly Interruption[]): void {
    const { metrics, log } = this.#options;
    for (const { cause, replica, jobs, because, event } of interruptions) {
      metrics.jobsInterrupted.inc({ cause }, jobs);
      log.warn({ pool: keyOf(pool), replica, cause, jobs, because }, 'jobs interrupted');
      this.events(pool, [event]);
    }
  }

  events(pool: PoolIdentity, events: readonly PoolEvent[]): void {
    for (const event of events) this.#options.record(pool, event);
  }

  /** What the API server, or the pool itself, does not allow. It is tried again now and then, and said once. */
  refused(pool: PoolIdentity & Readonly<{ generation: number }>, because: string): void {
    const words = `${pool.generation} ${because}`;
    if (this.#refused.get(keyOf(pool)) === words) return;
    this.#refused.set(keyOf(pool), words);
    this.#options.log.warn({ pool: keyOf(pool), because: messageOf(because, 1000) }, 'the pool cannot be applied');
  }

  wrote(object: 'deployment' | 'status', outcome: string): void {
    this.#options.metrics.writes.inc({ object, outcome });
  }

  /** The time of one pass; call what it returns at its end. */
  time(): () => void {
    return this.#options.metrics.passSeconds.startTimer();
  }

  /** The pool is gone, and its series with it. */
  forget(pool: ObjectRef): void {
    this.#said.delete(keyOf(pool));
    this.#refused.delete(keyOf(pool));
    this.#said.delete(`${keyOf(pool)} health`);
    this.#options.metrics.forget(pool);
  }
}
