import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import type { JobsOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { testJob } from '../../worker/handlers/test-job.ts';
import { startRedis } from '../fixtures/redis.ts';
import type { RedisServer } from '../fixtures/redis.ts';
import { startWorker } from '../fixtures/worker.ts';
import type { WorkerUnderTest } from '../fixtures/worker.ts';

let server: RedisServer;
let name = '';
let queues = 0;
const workers: WorkerUnderTest[] = [];
const opened: Queue[] = [];

beforeAll(async () => {
  server = await startRedis();
});

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  await Promise.all(opened.splice(0).map((queue) => queue.close()));
});

afterAll(() => server?.stop());

const newQueue = (): Queue => {
  queues += 1;
  name = `jobs-${queues}`;
  const queue = new Queue(name, { connection: { host: server.host, port: server.port } });
  opened.push(queue);
  return queue;
};

const start = async (options: Partial<Parameters<typeof startWorker>[0]> = {}): Promise<WorkerUnderTest> => {
  const timing = { queueCacheMs: 0, ...options.timing };
  const handlers = { 'test-job': testJob };
  const worker = await startWorker({ redisUrl: server.url, queue: name, handlers, ...options, timing });
  workers.push(worker);
  await eventually(async () => expect(await worker.status('/ready')).toBe(200));
  return worker;
};

const eventually = (assertion: () => unknown) => vi.waitFor(assertion, { timeout: 10_000, interval: 20 });

const countOf = (state: string) => `bullmq_job_count{queue="${name}",state="${state}"}`;
const attemptsOf = (job: string, outcome: string) =>
  `bullmq_job_attempts_total{queue="${name}",name="${job}",outcome="${outcome}"}`;
const ofQueue = (series: string) => `${series}{queue="${name}"}`;

it('runs every job exactly once, shared among the replicas, and writes the pod into each', async () => {
  const queue = newQueue();
  const runs = new Map<string, number>();
  const handlers = {
    count: async (job: { id?: string }) => {
      runs.set(job.id ?? '', (runs.get(job.id ?? '') ?? 0) + 1);
    },
  };
  const replicas = await Promise.all(['pod-a', 'pod-b'].map((pod) => start({ handlers, pod })));
  await queue.addBulk(Array.from({ length: 400 }, (_, n) => ({ name: 'count', data: { n } })));
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(400));
  expect([runs.size, new Set(runs.values())]).toEqual([400, new Set([1])]);
  const counted = await Promise.all(replicas.map((replica) => replica.series(attemptsOf('count', 'completed'))));
  expect((counted[0] ?? 0) + (counted[1] ?? 0)).toBe(400);
  const pods = new Set((await queue.getCompleted()).map((job) => job.processedBy));
  expect(pods).toEqual(new Set(['pod-a', 'pod-b']));
});

it('runs 25 jobs at the same time, and no more', async () => {
  const queue = newQueue();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const worker = await start({ handlers: { hold: () => released } });
  await queue.addBulk(Array.from({ length: 30 }, () => ({ name: 'hold', data: {} })));
  await eventually(async () => expect(await worker.series(ofQueue('bullmq_worker_active_jobs'))).toBe(25));
  expect(await worker.series(countOf('active'))).toBe(25);
  expect(await worker.series(countOf('waiting'))).toBe(5);
  expect(await worker.json('/health')).toMatchObject({ status: 'ok', active: 25, slots: 25 });
  release();
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(30));
  await eventually(async () => expect(await worker.series(ofQueue('bullmq_worker_active_jobs'))).toBe(0));
});

it('counts each attempt by how it ended, and tries again only what can succeed', async () => {
  const queue = newQueue();
  const worker = await start();
  const add = (job: string, data: unknown, options: JobsOptions = {}) =>
    queue.add(job, data, { attempts: 3, ...options });
  await add('test-job', { durationMs: 1 });
  await add('test-job', { durationMs: 1, fail: true });
  await add('test-job', { durationMs: 'soon' });
  await add('nobody-handles-this', {});
  await eventually(async () => expect(await worker.series(countOf('failed'))).toBe(3));
  await eventually(async () => expect(await worker.series(countOf('completed'))).toBe(1));
  expect({
    completed: await worker.series(attemptsOf('test-job', 'completed')),
    retried: await worker.series(attemptsOf('test-job', 'retried')),
    failed: await worker.series(attemptsOf('test-job', 'failed_final')),
    unknown: await worker.series(attemptsOf('unknown', 'failed_final')),
    durations: await worker.series(ofQueue('bullmq_job_duration_seconds_count')),
    waits: await worker.series(ofQueue('bullmq_job_wait_seconds_count')),
  }).toEqual({ completed: 1, retried: 2, failed: 2, unknown: 1, durations: 1, waits: 4 });
  const reasons = (await queue.getFailed()).map((job) => job.failedReason).toSorted();
  expect(reasons).toEqual([
    'no handler for jobs named "nobody-handles-this"; this worker handles: test-job',
    'test-job cannot run: durationMs must be a number of milliseconds',
    'test-job failed because its payload says "fail": true',
  ]);
  expect(await worker.json('/health')).toMatchObject({
    failedJobs: 3,
    lastFetchAt: expect.stringMatching(/^\d{4}-.*Z$/),
    lastFinishAt: expect.stringMatching(/^\d{4}-.*Z$/),
  });
});

it('measures how long a job ran and how long it waited to start, without its delay', async () => {
  const queue = newQueue();
  await queue.add('test-job', { durationMs: 300 }, { delay: 200 });
  const worker = await start();
  await eventually(async () => expect(await worker.series(ofQueue('bullmq_job_duration_seconds_count'))).toBe(1));
  const duration = (await worker.series(ofQueue('bullmq_job_duration_seconds_sum'))) ?? 0;
  expect(duration).toBeGreaterThanOrEqual(0.299);
  const wait = (await worker.series(ofQueue('bullmq_job_wait_seconds_sum'))) ?? Infinity;
  expect(wait).toBeLessThan(0.2);
  const [job] = await queue.getCompleted();
  expect(job?.returnvalue).toEqual({ ok: true, pod: 'worker-under-test' });
});

it('tells jobs with a priority, delayed and overdue jobs and the age of the oldest apart', async () => {
  const queue = newQueue();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const worker = await start({ handlers: { hold: () => released }, concurrency: 1 });
  await queue.add('hold', {});
  await eventually(async () => expect(await worker.series(countOf('active'))).toBe(1));
  // The only slot is taken, so nothing promotes a delayed job when it becomes due.
  await queue.add('hold', {}, { delay: 60_000 });
  await queue.add('hold', {}, { delay: 1 });
  await queue.add('hold', {}, { priority: 9, timestamp: Date.now() - 90_000 });
  await queue.add('hold', {}, { priority: 1, timestamp: Date.now() - 30_000 });
  await queue.add('hold', {}, { timestamp: Date.now() - 60_000 });
  await eventually(async () => expect(await worker.series(ofQueue('bullmq_queue_overdue_jobs'))).toBe(1));
  expect(await worker.series(countOf('prioritized'))).toBe(2);
  expect(await worker.series(countOf('delayed'))).toBe(2);
  expect(await worker.series(countOf('waiting'))).toBe(1);
  const age = (await worker.series(ofQueue('bullmq_queue_oldest_job_age_seconds'))) ?? 0;
  expect(age).toBeGreaterThanOrEqual(90);
  expect(age).toBeLessThan(100);
  release();
});

it('starts no job of a paused queue and says that it is paused', async () => {
  const queue = newQueue();
  const worker = await start();
  await queue.pause();
  await queue.add('test-job', { durationMs: 0 });
  expect(await worker.series(ofQueue('bullmq_queue_paused'))).toBe(1);
  expect(await worker.series(countOf('waiting'))).toBe(1);
  await queue.resume();
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(1));
  expect(await worker.series(ofQueue('bullmq_queue_paused'))).toBe(0);
});

it('does not know a queue that nobody but itself has used, until its first job', async () => {
  queues += 1;
  name = `jobs-${queues}`;
  const worker = await start();
  const redis = new Redis(server.url);
  // Its search for stalled jobs leaves a trace in Redis, which must not count.
  await eventually(async () => expect(await redis.exists(`bull:${name}:meta`)).toBe(1));
  redis.disconnect();
  expect(await worker.series(ofQueue('bullmq_queue_known'))).toBe(0);
  expect(await worker.series(countOf('waiting'))).toBe(0);
  const queue = new Queue(name, { connection: { host: server.host, port: server.port } });
  opened.push(queue);
  await queue.add('test-job', { durationMs: 0 }, { removeOnComplete: true });
  await eventually(async () => expect(await queue.count()).toBe(0));
  expect(await worker.series(ofQueue('bullmq_queue_known'))).toBe(1);
});

it('takes no job that comes while it stops idle, and another idle replica starts that job without delay', async () => {
  const queue = newQueue();
  const redis = new Redis(server.url);
  const blocked = (count: number) =>
    eventually(async () => expect(String(await redis.client('LIST')).match(/cmd=bzpopmin/g)).toHaveLength(count));
  const delays: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    // Of two that are blocked, Redis serves the one that has been for longer: the one that stops.
    const stopping = await start({ pod: 'stopping' });
    await blocked(1);
    const other = await start({ pod: 'other' });
    await blocked(2);
    const stopped = stopping.stop();
    if (round % 4 !== 0) await sleep(round % 4);
    const { id = '' } = await queue.add('test-job', { durationMs: 0 });
    expect(await stopped).toEqual({ ok: true, handedBack: 0, lost: 0 });
    await eventually(async () => expect((await queue.getJob(id))?.finishedOn).toBeDefined());
    const job = await queue.getJob(id);
    expect(job?.processedBy).toBe('other');
    delays.push((job?.processedOn ?? Infinity) - (job?.timestamp ?? 0));
    await other.stop();
  }
  redis.disconnect();
  expect(Math.max(...delays)).toBeLessThan(2_000);
});

it('gives JSON of the same series, and the text to a Prometheus server', async () => {
  newQueue();
  const worker = await start();
  const series = await worker.json<{ name: string }[]>('/metrics');
  const text = await worker.text();
  expect(series.map((one) => one.name)).toEqual([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, found]) => found));
});
