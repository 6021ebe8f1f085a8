import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createQueueGauges, type QueueFacts } from './queue-gauges.ts';

const facts: QueueFacts = {
  at: 100_000,
  jobs: { waiting: 7, prioritized: 1, active: 0 },
  overdue: 2,
  paused: true,
  exists: true,
  oldestReadyAt: 90_000,
  concurrency: 5,
  rateLimit: { max: 10, durationMs: 60_000 },
  limitedForMs: 3_000,
};
const pool = { namespace: 'agents', name: 'jobs' };

const scene = () => {
  const registry = new Registry();
  let now = 101_000;
  const gauges = createQueueGauges(registry, () => now);
  const samples = async () =>
    (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return { gauges, samples, at: (time: number) => (now = time) };
};

it('shows of a pool without replicas what its workers would', async () => {
  const { gauges, samples } = scene();
  gauges.show(pool, 'q', facts);
  const labels = 'namespace="agents",pool="jobs",queue="q"';
  expect(await samples()).toEqual([
    `bullmq_job_count{${labels},state="waiting"} 7`,
    `bullmq_job_count{${labels},state="prioritized"} 1`,
    `bullmq_job_count{${labels},state="active"} 0`,
    `bullmq_queue_overdue_jobs{${labels}} 2`,
    `bullmq_queue_paused{${labels}} 1`,
    `bullmq_queue_known{${labels}} 1`,
    `bullmq_queue_oldest_job_age_seconds{${labels}} 11`,
    `bullmq_queue_concurrency_limit{${labels}} 5`,
    `bullmq_queue_rate_limit_jobs{${labels}} 10`,
    `bullmq_queue_rate_limit_period_seconds{${labels}} 60`,
    `bullmq_queue_rate_limit_remaining_seconds{${labels}} 2`,
  ]);
});

it('shows nothing once the pool has a replica, is gone, or was not read for a minute', async () => {
  const { gauges, samples, at } = scene();
  gauges.show(pool, 'q', facts);
  gauges.show({ ...pool, name: 'other' }, 'q', { ...facts, at: 150_000 });
  gauges.hide({ ...pool, name: 'never' });
  at(160_001);
  expect((await samples()).every((line) => line.includes('pool="other"'))).toBe(true);
  gauges.hide({ ...pool, name: 'other' });
  expect(await samples()).toEqual([]);
});

it('go on with every newer reading of a pool that sleeps, and show none that was not shown', async () => {
  const { gauges, samples, at } = scene();
  gauges.renew(pool, facts);
  expect(await samples()).toEqual([]);
  gauges.show(pool, 'q', facts);
  at(161_000);
  expect(await samples()).toEqual([]);
  gauges.renew(pool, { ...facts, at: 160_000 });
  expect(await samples()).toContain('bullmq_job_count{namespace="agents",pool="jobs",queue="q",state="waiting"} 7');
});
