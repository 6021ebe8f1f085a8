import { Queue } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Known } from '../../operator/core/known.ts';
import type { QueueSnapshot } from '../../operator/core/state.ts';
import { type PoolRedis, RedisAccessRegistry } from '../../operator/observe/queue/redis-access.ts';
import { readQueue } from '../../operator/observe/queue/source.ts';
import { Scraper, type ScrapeTarget } from '../../operator/observe/replicas/scrape.ts';
import { testJob } from '../../worker/handlers/test-job.ts';
import { createLog } from '../../worker/log.ts';
import { type RunningWorker, runWorker } from '../../worker/run.ts';
import { until } from '../cluster/until.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';

const queueName = { prefix: 'bull', name: 'agent-jobs' };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let server: RedisServer;
let queue: Queue;
let redis: PoolRedis;
let scraper: Scraper;
/** Jobs named `hold` run until the test is over. */
let released: PromiseWithResolvers<void>;

beforeEach(async () => {
  released = Promise.withResolvers();
  server = await startRedis();
  cleanups.push(() => server.stop());
  queue = new Queue(queueName.name, { connection: { host: server.host, port: server.port } });
  queue.on('error', () => {});
  cleanups.push(() => queue.close());
  const registry = new RedisAccessRegistry({ now: Date.now, onWake: () => {} });
  cleanups.push(() => registry.close());
  const opened = registry.open('ns/pool', { url: server.url, queue: queueName, commandsPerMinute: 1e9 });
  if (!opened.ok) throw new Error(opened.because);
  redis = opened;
  scraper = new Scraper({ now: Date.now });
  cleanups.push(() => scraper.close());
});

const startWorker = async (podName: string, concurrency = 1): Promise<RunningWorker & { target: ScrapeTarget }> => {
  const worker = await runWorker({
    handlers: { 'test-job': testJob, hold: () => released.promise },
    log: createLog({ level: 'silent', fields: {} }),
    timing: { queueCacheMs: 0, queueStaleMs: 1_000, queueReadMs: 300 },
    config: {
      redisUrl: server.url,
      queue: queueName,
      concurrency,
      podName,
      port: 0,
      drainTimeoutMs: 60_000,
      tokenFile: undefined,
      terminationLog: '/dev/null',
      logLevel: 'silent',
    },
  });
  cleanups.push(async () => {
    released.resolve();
    await worker.stop();
  });
  const target = { uid: `uid-${podName}`, name: podName, ip: '127.0.0.1', port: worker.port, ready: true };
  return { ...worker, target };
};

const fromRedis = async (): Promise<Known<QueueSnapshot>> => (await ask('Redis')).queue;
const fromWorkers = async (...targets: ScrapeTarget[]) => {
  const { queue: scraped } = await scraper.scrape(targets, queueName.name);
  if (!scraped?.ok) throw new Error(scraped?.because ?? 'no replica is ready');
  return scraped.value;
};
const ask = async (source: 'Workers' | 'Redis', ...targets: ScrapeTarget[]) => {
  const { queue: scraped } = await scraper.scrape(targets, queueName.name);
  return readQueue({
    source,
    ...(scraped === undefined ? {} : { scraped }),
    read: () => redis.read({ fresh: true }),
    access: () => redis.access(),
  });
};

/** Both sources at rest say the same, but for what only Redis knows and for the moment between the two readings. */
const expectSame = async (target: ScrapeTarget) => {
  const redisSays = await fromRedis();
  if (!redisSays.ok) throw new Error(redisSays.because);
  const { nextDelayedAt: _, oldestWaitMs: age, source: __, ...counts } = redisSays.value;
  const { oldestWaitMs, source, ...scraped } = await fromWorkers(target);
  expect(source).toBe('Workers');
  expect(scraped).toEqual(counts);
  if (age === undefined) expect(oldestWaitMs).toBeUndefined();
  else expect(Math.abs((oldestWaitMs ?? NaN) - age)).toBeLessThan(1_000);
  return redisSays.value;
};

const add = (data: { durationMs: number; fail?: boolean }, options = {}) => queue.add('test-job', data, options);
const hasActive = (count: number) =>
  until(async () => (await queue.getActiveCount()) === count, { what: `${count} jobs run`, limitMs: 5_000 });

describe('workers and Redis as sources of one queue', () => {
  it('say the same of it in every state', async () => {
    const { target } = await startWorker('pod-a');
    await until(async () => (await scraper.scrape([target], queueName.name)).queue?.ok, {
      what: 'the worker reads the queue',
      limitMs: 5_000,
    });
    expect(await expectSame(target)).toMatchObject({ ready: 0, active: 0, paused: false });

    await add({ durationMs: 0, fail: true });
    await until(async () => (await queue.getFailedCount()) === 1, { what: 'a job failed', limitMs: 5_000 });
    await queue.add('hold', {});
    await hasActive(1);
    expect(await expectSame(target)).toMatchObject({ ready: 0, active: 1, failed: 1, exists: true });

    await add({ durationMs: 1 });
    await add({ durationMs: 1 }, { priority: 5 });
    await add({ durationMs: 1 }, { priority: 2 });
    await add({ durationMs: 1 }, { delay: 60_000 });
    await add({ durationMs: 1 }, { delay: 50 });
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    // The one slot is taken, so nobody has promoted the job that is overdue.
    expect(await expectSame(target)).toMatchObject({ ready: 4, active: 1, delayed: 1, failed: 1 });

    await queue.setGlobalConcurrency(7);
    await queue.setGlobalRateLimit(30, 60_000);
    expect(await expectSame(target)).toMatchObject({ concurrency: 7, rateLimit: { max: 30, durationMs: 60_000 } });

    await queue.pause();
    expect(await expectSame(target)).toMatchObject({ ready: 4, paused: true });
    await queue.resume();
    expect(await expectSame(target)).toMatchObject({ paused: false });
  });

  it('give the report of each replica, by its own counters', async () => {
    const workers = [await startWorker('pod-a', 3), await startWorker('pod-b', 5)];
    await queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'test-job', data: { durationMs: 20 } })));
    await until(async () => (await queue.getCompletedCount()) === 20, { what: 'all is done', limitMs: 10_000 });
    await queue.add('hold', {});
    await hasActive(1);
    const { reports } = await scraper.scrape(
      workers.map(({ target }) => target),
      queueName.name,
    );
    const values = workers
      .map(({ target }) => reports.get(target.uid))
      .flatMap((report) => (report?.ok ? [report.value] : []));
    expect(values.map(({ slots }) => slots)).toEqual([3, 5]);
    expect(values.reduce((sum, { active }) => sum + active, 0)).toBe(1);
    expect(values.reduce((sum, { durationCount }) => sum + durationCount, 0)).toBe(20);
    expect(values.reduce((sum, { durationSum }) => sum + durationSum, 0)).toBeGreaterThanOrEqual(20 * 0.019);
    for (const { processStart } of values) expect(Math.abs(processStart - Date.now() / 1000)).toBeLessThan(3_600);
  });

  it('serve for each other: the workers with a backlog, then Redis when they are gone, with the reason', async () => {
    const worker = await startWorker('pod-a');
    await queue.add('hold', {});
    await hasActive(1);
    await add({ durationMs: 1 });
    await until(async () => (await ask('Workers', worker.target)).queue.ok, { what: 'an answer', limitMs: 5_000 });
    const served = await ask('Workers', worker.target);
    expect(served).toMatchObject({ queue: { ok: true, value: { source: 'Workers', ready: 1, active: 1 } } });
    expect(served).not.toHaveProperty('tip');

    const gone = { ...worker.target, port: 1 };
    expect(await ask('Workers', gone)).toMatchObject({
      queue: {
        ok: true,
        value: {
          source: 'Redis',
          ready: 1,
          active: 1,
          fallback: expect.stringContaining('replica pod-a does not answer'),
        },
      },
      tip: expect.stringMatching(/^\d+-\d+$/),
    });
    expect(await ask('Workers')).toMatchObject({ queue: { value: { fallback: 'no replica is ready' } } });

    await queue.remove((await queue.getWaiting())[0]?.id ?? '');
    expect(await ask('Workers', worker.target)).toMatchObject({
      queue: { ok: true, value: { source: 'Redis', ready: 0 } },
      tip: expect.stringMatching(/^\d+-\d+$/),
    });
  });

  it('leave the queue unknown, with both reasons, when Redis is gone for both', async () => {
    const { target } = await startWorker('pod-a');
    await until(async () => (await ask('Workers', target)).queue.ok, { what: 'an answer', limitMs: 5_000 });
    await server.kill();
    cleanups.push(async () => {
      await server.restart();
      await until(async () => (await fetch(`http://127.0.0.1:${target.port}/health`)).ok, {
        what: 'the worker reaches Redis again',
        limitMs: 10_000,
      });
    });
    // Until its last reading is too old, a worker goes on exporting it.
    const answer = await until(
      async () => {
        const reading = await ask('Workers', target);
        return reading.queue.ok ? undefined : reading;
      },
      { what: 'the gauges are left out', limitMs: 5_000 },
    );
    expect(answer).toMatchObject({
      queue: {
        ok: false,
        because: expect.stringMatching(/pod-a: bullmq_queue_overdue_jobs.* is missing; Redis at .* does not serve/),
      },
      redis: { ok: false, trouble: 'RedisUnreachable' },
    });
    const { reports } = await scraper.scrape([target], queueName.name);
    expect(reports.get(target.uid)).toMatchObject({ ok: true, value: { slots: 1 } });
  });
});
