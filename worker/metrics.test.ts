import { expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';
import { PROCESS_START_MS } from './process-start.ts';
import type { QueueSnapshot } from './queue/read-queue.ts';

const snapshot: QueueSnapshot = {
  counts: { waiting: 7, prioritized: 6, active: 5, delayed: 4, failed: 3, completed: 2, 'waiting-children': 1 },
  known: true,
  paused: true,
  overdue: 8,
  oldestWaitSeconds: 1.5,
  limits: { concurrency: 50, rateJobs: 10, ratePeriodSeconds: 60, remainingSeconds: 0.25 },
};

const create = (
  observed: { snapshot: QueueSnapshot | undefined; redisConnected: boolean },
  supabaseConnected?: boolean,
) =>
  createMetrics({
    queue: 'q',
    handlerNames: ['test-job'],
    concurrency: 25,
    activeJobs: () => 4,
    runningSeconds: () => 9.5,
    supabaseConnected: () => supabaseConnected,
    observe: async () => observed,
  });

const samplesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

const OF_QUEUE = [
  'bullmq_job_count{queue="q",state="waiting"} 7',
  'bullmq_job_count{queue="q",state="prioritized"} 6',
  'bullmq_job_count{queue="q",state="active"} 5',
  'bullmq_job_count{queue="q",state="delayed"} 4',
  'bullmq_job_count{queue="q",state="failed"} 3',
  'bullmq_job_count{queue="q",state="completed"} 2',
  'bullmq_job_count{queue="q",state="waiting-children"} 1',
  'bullmq_queue_overdue_jobs{queue="q"} 8',
  'bullmq_queue_paused{queue="q"} 1',
  'bullmq_queue_oldest_job_age_seconds{queue="q"} 1.5',
  'bullmq_queue_known{queue="q"} 1',
  'bullmq_queue_concurrency_limit{queue="q"} 50',
  'bullmq_queue_rate_limit_jobs{queue="q"} 10',
  'bullmq_queue_rate_limit_period_seconds{queue="q"} 60',
  'bullmq_queue_rate_limit_remaining_seconds{queue="q"} 0.25',
];

const ATTEMPTS = ['test-job', 'unknown'].flatMap((name) =>
  ['completed', 'retried', 'failed_final', 'handed_back'].map(
    (outcome) => `bullmq_job_attempts_total{queue="q",name="${name}",outcome="${outcome}"} 0`,
  ),
);

const BOUNDS = ['0.1', '0.25', '0.5', '1', '2.5', '5', '10', '20', '30', '60', '120', '300', '600', '+Inf'];

const histogram = (name: string): string[] => [
  ...BOUNDS.map((le) => `${name}_bucket{le="${le}",queue="q"} 0`),
  `${name}_sum{queue="q"} 0`,
  `${name}_count{queue="q"} 0`,
];

const own = (redisConnected: 0 | 1): string[] => [
  ...ATTEMPTS,
  ...histogram('bullmq_job_duration_seconds'),
  ...histogram('bullmq_job_wait_seconds'),
  'bullmq_worker_active_jobs{queue="q"} 4',
  'bullmq_worker_active_jobs_age_seconds{queue="q"} 9.5',
  'bullmq_worker_concurrency{queue="q"} 25',
  `worker_redis_connected ${redisConnected}`,
  `process_start_time_seconds ${PROCESS_START_MS / 1000}`,
];

it('exposes exactly these series', async () => {
  const text = await create({ snapshot, redisConnected: true }).text();
  expect(samplesOf(text)).toEqual([...own(1), ...OF_QUEUE]);
  expect(text.endsWith('\n')).toBe(true);
});

it('leaves out the series of the queue, and nothing else, while the queue is unknown', async () => {
  const text = await create({ snapshot: undefined, redisConnected: false }).text();
  expect(samplesOf(text)).toEqual(own(0));
  expect(text).not.toContain('bullmq_job_count');
});

it('says whether Supabase is reached only once it was checked', async () => {
  const of = async (connected?: boolean) =>
    samplesOf(await create({ snapshot, redisConnected: true }, connected).text()).filter((line) =>
      line.startsWith('worker_supabase'),
    );
  expect(await Promise.all([of(), of(true), of(false)])).toEqual([
    [],
    ['worker_supabase_connected 1'],
    ['worker_supabase_connected 0'],
  ]);
});

it('forgets no series of the queue once the queue is known again', async () => {
  const observed: { snapshot: QueueSnapshot | undefined; redisConnected: boolean } = { snapshot, redisConnected: true };
  const metrics = create(observed);
  await metrics.text();
  observed.snapshot = undefined;
  await metrics.text();
  observed.snapshot = { ...snapshot, counts: { ...snapshot.counts, waiting: 0 }, paused: false };
  const samples = samplesOf(await metrics.text());
  expect(samples).toContain('bullmq_job_count{queue="q",state="waiting"} 0');
  expect(samples).toContain('bullmq_queue_paused{queue="q"} 0');
});

it('gives the same series as JSON', async () => {
  const series = (await create({ snapshot, redisConnected: true }).json()) as { name: string; values: unknown[] }[];
  expect(series.map(({ name }) => name)).toEqual([
    'bullmq_job_attempts_total',
    'bullmq_job_duration_seconds',
    'bullmq_job_wait_seconds',
    'bullmq_worker_active_jobs',
    'bullmq_worker_active_jobs_age_seconds',
    'bullmq_worker_concurrency',
    'worker_redis_connected',
    'process_start_time_seconds',
    'bullmq_job_count',
    'bullmq_queue_overdue_jobs',
    'bullmq_queue_paused',
    'bullmq_queue_oldest_job_age_seconds',
    'bullmq_queue_known',
    'bullmq_queue_concurrency_limit',
    'bullmq_queue_rate_limit_jobs',
    'bullmq_queue_rate_limit_period_seconds',
    'bullmq_queue_rate_limit_remaining_seconds',
  ]);
  expect(series[3]).toEqual({
    name: 'bullmq_worker_active_jobs',
    help: 'Jobs that this replica runs now, and fetches under way that may bring one.',
    type: 'gauge',
    values: [{ labels: { queue: 'q' }, value: 4 }],
  });
});

it('makes no series of a job name that nobody handles, however many such names come', async () => {
  const metrics = create({ snapshot, redisConnected: true });
  for (let n = 0; n < 50; n += 1) metrics.countAttempt(`sync-${n}`, 'failed_final');
  metrics.countAttempt('test-job', 'completed');
  const samples = samplesOf(await metrics.text()).filter((line) => line.startsWith('bullmq_job_attempts_total'));
  expect(samples).toHaveLength(8);
  expect(samples).toContain('bullmq_job_attempts_total{queue="q",name="unknown",outcome="failed_final"} 50');
  expect(samples).toContain('bullmq_job_attempts_total{queue="q",name="test-job",outcome="completed"} 1');
});

it('gives only the series that are asked for by name, and does not ask Redis for what it knows itself', async () => {
  let observed = 0;
  const metrics = createMetrics({
    queue: 'q',
    handlerNames: ['test-job'],
    concurrency: 25,
    activeJobs: () => 4,
    runningSeconds: () => 9.5,
    supabaseConnected: () => undefined,
    observe: async () => {
      observed += 1;
      return { snapshot, redisConnected: true };
    },
  });
  const alone = await metrics.text(['bullmq_worker_active_jobs', 'bullmq_job_duration_seconds']);
  expect(samplesOf(alone)).toEqual([
    'bullmq_worker_active_jobs{queue="q"} 4',
    ...histogram('bullmq_job_duration_seconds'),
  ]);
  expect(alone.endsWith('\n')).toBe(true);
  expect(observed).toBe(0);
  const both = samplesOf(await metrics.text(['bullmq_worker_active_jobs', 'bullmq_queue_paused']));
  expect(both).toEqual(['bullmq_worker_active_jobs{queue="q"} 4', 'bullmq_queue_paused{queue="q"} 1']);
  expect(samplesOf(await metrics.text(['worker_redis_connected']))).toEqual(['worker_redis_connected 1']);
  expect(observed).toBe(2);
  expect(await metrics.text(['no_such_series'])).toBe('');
});
