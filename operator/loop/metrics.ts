import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { QueueObserver } from './workqueue.ts';

/** How a pass ended, in controller-runtime's words. `requeue`: a conflict, decided again at once. */
export type ReconcileResult = 'success' | 'requeue_after' | 'requeue' | 'error';

type ByController = 'controller';
type ByQueue = 'name' | 'controller';

/** Series of the control loops, under controller-runtime's names, so that its dashboards work as they are. */
export type LoopMetrics = ReturnType<typeof createLoopMetrics>;

const reconcileBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const queueBuckets = [1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000];

/** Makes the series in `registry`. Call it once for a registry. */
export function createLoopMetrics(registry: Registry) {
  return { ...passMetrics([registry]), ...queueMetrics([registry]) };
}

function passMetrics(registers: Registry[]) {
  const counter = (name: string, help: string) =>
    new Counter<ByController>({ name: `controller_runtime_${name}`, help, labelNames: ['controller'], registers });
  const gauge = (name: string, help: string) =>
    new Gauge<ByController>({ name: `controller_runtime_${name}`, help, labelNames: ['controller'], registers });
  return {
    reconciles: new Counter<ByController | 'result'>({
      name: 'controller_runtime_reconcile_total',
      help: 'Passes by how they ended.',
      labelNames: ['controller', 'result'],
      registers,
    }),
    errors: counter('reconcile_errors_total', 'Passes that failed.'),
    terminalErrors: counter('terminal_reconcile_errors_total', 'Passes that failed and are not repeated.'),
    panics: counter('reconcile_panics_total', 'Passes that failed by a programming error.'),
    timeouts: counter('reconcile_timeouts_total', 'Passes that reached their time limit.'),
    seconds: new Histogram<ByController>({
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'Length of a pass.',
      labelNames: ['controller'],
      buckets: reconcileBuckets,
      registers,
    }),
    maxConcurrent: gauge('max_concurrent_reconciles', 'Passes that may run at once.'),
    activeWorkers: gauge('active_workers', 'Passes that run.'),
  };
}

function queueMetrics(registers: Registry[]) {
  const labelNames = ['name', 'controller'] as const;
  const counter = (name: string, help: string) => new Counter<ByQueue>({ name, help, labelNames, registers });
  const histogram = (name: string, help: string) =>
    new Histogram<ByQueue>({ name, help, labelNames, buckets: queueBuckets, registers });
  const running = new Map<string, () => ReadonlyMap<string, number>>();
  const ageGauge = (name: string, help: string, pick: (ages: readonly number[]) => number) =>
    new Gauge<ByQueue>({
      name,
      help,
      labelNames,
      registers,
      collect() {
        for (const [queue, passes] of running) {
          this.set({ name: queue, controller: queue }, pick([...passes().values()]) / 1000);
        }
      },
    });
  return {
    depth: new Gauge<ByQueue>({ name: 'workqueue_depth', help: 'Keys that wait.', labelNames, registers }),
    adds: counter('workqueue_adds_total', 'Keys that were added.'),
    retries: counter('workqueue_retries_total', 'Keys that were added again with backoff.'),
    queueSeconds: histogram('workqueue_queue_duration_seconds', 'How long a key waited.'),
    workSeconds: histogram('workqueue_work_duration_seconds', 'How long a key was worked on.'),
    unfinishedSeconds: ageGauge(
      'workqueue_unfinished_work_seconds',
      'Seconds of work in progress, summed over the passes that run.',
      (ages) => ages.reduce((sum, age) => sum + age, 0),
    ),
    longestSeconds: ageGauge(
      'workqueue_longest_running_processor_seconds',
      'Age of the oldest pass that runs.',
      (ages) => Math.max(0, ...ages),
    ),
    /** Tells the age gauges where to look at each scrape. */
    watchRunning: (queue: string, passes: () => ReadonlyMap<string, number>) => void running.set(queue, passes),
  };
}

const results: readonly ReconcileResult[] = ['success', 'requeue_after', 'requeue', 'error'];

/** Makes a controller's series exist at 0, so that an alert on their increase sees the first one. */
export function initControllerMetrics(metrics: LoopMetrics, controller: string, concurrency: number): void {
  for (const result of results) metrics.reconciles.inc({ controller, result }, 0);
  const counters = [metrics.errors, metrics.terminalErrors, metrics.panics, metrics.timeouts];
  for (const counter of counters) counter.inc({ controller }, 0);
  for (const counter of [metrics.adds, metrics.retries]) counter.inc({ name: controller, controller }, 0);
  metrics.seconds.zero({ controller });
  for (const histogram of [metrics.queueSeconds, metrics.workSeconds]) histogram.zero({ name: controller, controller });
  metrics.maxConcurrent.set({ controller }, concurrency);
  metrics.activeWorkers.set({ controller }, 0);
  metrics.depth.set({ name: controller, controller }, 0);
}

/** Counts what a queue does. */
export function queueObserver(metrics: LoopMetrics, controller: string): QueueObserver {
  const labels = { name: controller, controller };
  return {
    added: () => metrics.adds.inc(labels),
    retried: () => metrics.retries.inc(labels),
    depth: (waiting) => metrics.depth.set(labels, waiting),
    started: (waitedMs) => metrics.queueSeconds.observe(labels, waitedMs / 1000),
    finished: (workedMs) => metrics.workSeconds.observe(labels, workedMs / 1000),
  };
}
