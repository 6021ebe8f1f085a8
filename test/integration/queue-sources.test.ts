import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decide } from '../../operator/core/decide.ts';
import type { Known } from '../../operator/core/known.ts';
import type { QueueSnapshot } from '../../operator/core/state.ts';
import { samplePool, stateOf } from '../../operator/core/state.fixture.ts';
import { PrometheusClient } from '../../operator/observe/queue/prometheus-client.ts';
import { defaultQuery } from '../../operator/observe/queue/prometheus-query.ts';
import type { PoolRedis } from '../../operator/observe/queue/pool-redis.ts';
import { RedisAccessRegistry } from '../../operator/observe/queue/redis-access.ts';
import { type QueueReading, readQueue } from '../../operator/observe/queue/source.ts';
import { Scraper, type ScrapeTarget } from '../../operator/observe/replicas/scrape.ts';
import { testJob } from '../../worker/handlers/test-job.ts';
import { createLog } from '../../worker/log.ts';
import { type RunningWorker, runWorker } from '../../worker/run.ts';
import { until } from '../cluster/until.ts';
import { type PrometheusServer, startPrometheus } from '../fixtures/prometheus.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';

const SOURCES = ['Workers', 'Redis', 'Prometheus'] as const;
type Source = (typeof SOURCES)[number];

const queueName = { prefix: 'bull', name: 'agent-jobs' };
/** Prometheus scrapes every second and is asked every time; a busy machine may be slow. */
const SEEN_MS = 20_000;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let prometheus: PrometheusServer;
let namespaces = 0;
beforeAll(async () => {
  prometheus = await startPrometheus();
});
afterAll(() => prometheus?.stop());

let server: RedisServer;
let queue: Queue;
let redis: PoolRedis;
let scraper: Scraper;
let client: PrometheusClient;
let namespace: string;
/** Jobs named `hold` run until the test is over. */
let released: PromiseWithResolvers<void>;

beforeEach(async () => {
  released = Promise.withResolvers();
  namespace = `agents-${(namespaces += 1)}`;
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
  client = new PrometheusClient({ now: Date.now, keptMs: 0, timeoutMs: 5_000 });
  cleanups.push(() => client.close());
});

/** A real worker, scraped by the real Prometheus as a pod of the pool's namespace would be. */
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
      supabase: undefined,
      logLevel: 'silent',
    },
  });
  cleanups.push(async () => {
    released.resolve();
    await worker.stop();
  });
  await prometheus.scrape([
    { address: `127.0.0.1:${worker.port}`, path: '/metrics/prometheus', labels: { namespace, pod: podName } },
  ]);
  const target = { uid: `uid-${podName}`, name: podName, ip: '127.0.0.1', port: worker.port, ready: true };
  return { ...worker, target };
};

const ask = async (source: Source, targets: readonly ScrapeTarget[], query?: string): Promise<QueueReading> => {
  const { queue: scraped } = await scraper.scrape(targets, queueName.name);
  const asked = query ?? defaultQuery({ queue: queueName.name, namespace });
  return readQueue({
    source,
    ...(scraped === undefined ? {} : { scraped }),
    waiting: () => client.ask('ns/pool', { url: prometheus.url, query: asked }),
    read: () => redis.read({ fresh: true }),
    access: () => redis.lastUse()?.access,
  });
};

/** Waits until the source itself, none in its place, says so. */
const untilSays = (source: Source, target: ScrapeTarget, expected: Partial<QueueSnapshot>): Promise<QueueSnapshot> =>
  until(
    async () => {
      const { queue: seen } = await ask(source, [target]);
      if (!seen.ok || seen.value.fallback !== undefined) return undefined;
      return Object.entries(expected).every(([key, value]) => isSame(seen.value[key as keyof QueueSnapshot], value))
        ? seen.value
        : undefined;
    },
    { what: `${source} says ${JSON.stringify(expected)}`, limitMs: SEEN_MS, everyMs: 100 },
  );
const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

const add = (data: { durationMs: number; fail?: boolean }, options = {}) => queue.add('test-job', data, options);
const isRunning = (count: number) =>
  until(async () => (await queue.getActiveCount()) === count, { what: `${count} jobs run`, limitMs: SEEN_MS });

describe.each(SOURCES)('the source %s', (source) => {
  it('says in every state of the queue what is in it', async () => {
    const { target } = await startWorker('pod-a');
    await untilSays(source, target, { ready: 0, active: 0, paused: false });

    await add({ durationMs: 0, fail: true });
    await queue.add('hold', {});
    await isRunning(1);
    await untilSays(source, target, { ready: 0, active: 1, failed: 1, exists: true });

    await add({ durationMs: 1 });
    await add({ durationMs: 1 }, { priority: 5 });
    await add({ durationMs: 1 }, { priority: 2 });
    await add({ durationMs: 1 }, { delay: 600_000 });
    await add({ durationMs: 1 }, { delay: 50 });
    // The one slot is taken, so nobody promotes the job that is overdue.
    const { oldestWaitMs } = await untilSays(source, target, { ready: 4, active: 1, delayed: 1, failed: 1 });
    expect(oldestWaitMs).toBeGreaterThan(0);

    await queue.setGlobalConcurrency(7);
    await queue.setGlobalRateLimit(30, 60_000);
    await untilSays(source, target, { ready: 4, concurrency: 7, rateLimit: { max: 30, durationMs: 60_000 } });

    await queue.pause();
    await untilSays(source, target, { ready: 4, paused: true });
    await queue.resume();
    await untilSays(source, target, { ready: 4, paused: false });
  });

  it('is unknown, never empty, while Redis is gone for everybody', async () => {
    const { target } = await startWorker('pod-a');
    await queue.add('hold', {});
    await add({ durationMs: 1 });
    await untilSays(source, target, { ready: 1, active: 1 });
    await server.kill();
    cleanups.push(async () => {
      await server.restart();
      await until(async () => (await fetch(`http://127.0.0.1:${target.port}/health`)).ok, {
        what: 'the worker reaches Redis again',
        limitMs: SEEN_MS,
      });
    });
    // Until its last reading is too old, a worker goes on exporting it.
    const answer = await until(
      async () => {
        const reading = await ask(source, [target]);
        if (reading.queue.ok) expect(reading.queue.value).toMatchObject({ ready: 1, active: 1 });
        return reading.queue.ok ? undefined : reading;
      },
      { what: 'the queue is unknown', limitMs: SEEN_MS, everyMs: 100 },
    );
    expect(answer).toMatchObject({
      queue: { ok: false, because: expect.stringMatching(/Redis at .* does not serve/) },
      redis: { ok: false, trouble: 'RedisUnreachable' },
    });
  });
});

describe.each(['Workers', 'Prometheus'] as const)('Redis in place of %s', (source) => {
  it('serves while no replica is ready, and says so', async () => {
    await add({ durationMs: 1 });
    expect(await ask(source, [])).toMatchObject({
      queue: { ok: true, value: { source: 'Redis', ready: 1, fallback: 'no replica is ready' } },
      tip: expect.stringMatching(/^\d+-\d+$/),
    });
  });
});

describe('the workers as the source', () => {
  it('are served for by Redis when they do not answer, and where nothing waits: only it knows from where to wake', async () => {
    const { target } = await startWorker('pod-a');
    await queue.add('hold', {});
    await isRunning(1);
    await add({ durationMs: 1 });
    await untilSays('Workers', target, { ready: 1, active: 1 });
    const served = await ask('Workers', [target]);
    expect(served).toMatchObject({ queue: { value: { source: 'Workers' } } });
    expect(served).not.toHaveProperty('tip');
    expect(await ask('Workers', [{ ...target, port: 1 }])).toMatchObject({
      queue: {
        value: { source: 'Redis', ready: 1, fallback: expect.stringContaining('replica pod-a does not answer') },
      },
    });
    await queue.remove((await queue.getWaiting())[0]?.id ?? '');
    expect(await ask('Workers', [target])).toMatchObject({
      queue: { ok: true, value: { source: 'Redis', ready: 0 } },
      tip: expect.stringMatching(/^\d+-\d+$/),
    });
  });

  it('give the report of each replica, by its own counters', async () => {
    const workers = [await startWorker('pod-a', 3), await startWorker('pod-b', 5)];
    await queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'test-job', data: { durationMs: 20 } })));
    await until(async () => (await queue.getCompletedCount()) === 20, { what: 'all is done', limitMs: SEEN_MS });
    await queue.add('hold', {});
    await isRunning(1);
    const targets = workers.map(({ target }) => target);
    // Redis can say that a job runs a moment before its worker counts it.
    const values = await until(
      async () => {
        const { reports } = await scraper.scrape(targets, queueName.name);
        const known = targets
          .map(({ uid }) => reports.get(uid))
          .flatMap((report) => (report?.ok ? [report.value] : []));
        const sum = (pick: (report: (typeof known)[number]) => number) =>
          known.reduce((all, each) => all + pick(each), 0);
        return sum(({ active }) => active) === 1 && sum(({ runningSeconds = 0 }) => runningSeconds) > 0
          ? known
          : undefined;
      },
      { what: 'one replica counts the job and its time', limitMs: SEEN_MS },
    );
    expect(values.map(({ slots }) => slots)).toEqual([3, 5]);
    expect(values.reduce((sum, { durationCount }) => sum + durationCount, 0)).toBe(20);
    expect(values.reduce((sum, { durationSum }) => sum + durationSum, 0)).toBeGreaterThanOrEqual(20 * 0.019);
    for (const { processStart } of values) expect(Math.abs(processStart - Date.now() / 1000)).toBeLessThan(3_600);
  });
});

describe('a real Prometheus that scrapes real workers', () => {
  const pool = samplePool({ source: 'Prometheus', concurrency: 1, maxReplicas: 20 });
  const decideOn = (read: Known<QueueSnapshot>) => {
    const state = stateOf({ pool, replicas: 1 });
    return decide({ ...state, queue: read.ok ? { ...read, at: state.now } : read });
  };

  it('scales the pool; when it is stopped, Redis does, and the reason says so', async () => {
    const own = await startPrometheus();
    cleanups.push(() => own.stop());
    const { target } = await startWorker('pod-a');
    const labels = { namespace, pod: 'pod-a' };
    await own.scrape([{ address: `127.0.0.1:${target.port}`, path: '/metrics/prometheus', labels }]);
    const read = async () => {
      const { queue: scraped } = await scraper.scrape([target], queueName.name);
      const query = defaultQuery({ queue: queueName.name, namespace });
      return readQueue({
        source: 'Prometheus',
        ...(scraped === undefined ? {} : { scraped }),
        waiting: () => client.ask('ns/pool', { url: own.url, query }),
        read: () => redis.read({ fresh: true }),
        access: () => redis.lastUse()?.access,
      });
    };
    await queue.add('hold', {});
    await isRunning(1);
    await queue.addBulk(Array.from({ length: 7 }, () => ({ name: 'test-job', data: { durationMs: 1 } })));
    const seen = await until(
      async () => {
        const { queue: now } = await read();
        return now.ok && now.value.source === 'Prometheus' && now.value.ready === 7 ? now : undefined;
      },
      { what: 'Prometheus has seen the jobs', limitMs: SEEN_MS, everyMs: 200 },
    );
    const scaled = decideOn(seen);
    expect(scaled).toMatchObject({ wanted: 8, status: { queue: { source: 'Prometheus', waiting: 7, active: 1 } } });
    expect(scaled.because.message).toContain('1 active + 7 waiting');

    await own.stop();
    const { queue: without } = await read();
    expect(without).toMatchObject({ ok: true, value: { source: 'Redis', ready: 7 } });
    const held = decideOn(without);
    expect(held).toMatchObject({ wanted: 8, status: { queue: { source: 'Redis' } } });
    const observed = held.status.conditions?.find(({ type }) => type === 'QueueObserved');
    expect(observed?.message).toMatch(
      /^read from Redis: Prometheus at 127\.0\.0\.1:\d+: it does not answer: ECONNREFUSED/,
    );
  });

  it.each([
    ['for a queue that nobody exports', 'bullmq_job_count{queue="nobody"}', 'the query has no result'],
    ['with several samples', 'bullmq_job_count', 'the query has 7 results and must have one'],
    ['that divides by zero', 'vector(0) / vector(0)', 'the result of the query is NaN'],
    ['with a mistake', 'max(', 'status 400: it refuses the query: bad_data'],
    ['for a range', 'bullmq_job_count[1m]', 'the query gives a matrix'],
  ])('leaves the number to Redis when it is asked a query %s, and says why', async (_, query, because) => {
    const { target } = await startWorker('pod-a');
    await untilSays('Prometheus', target, { ready: 0 });
    expect(await ask('Prometheus', [target], query)).toMatchObject({
      queue: { ok: true, value: { source: 'Redis', fallback: expect.stringContaining(because) } },
    });
  });

  it('is not believed once its samples are old: the default query has no result then', async () => {
    const { target } = await startWorker('pod-a');
    await untilSays('Prometheus', target, { ready: 0 });
    const old = defaultQuery({ queue: queueName.name, namespace }).replaceAll('- 75', '- -1');
    expect(await ask('Prometheus', [target], old)).toMatchObject({
      queue: { value: { source: 'Redis', fallback: expect.stringContaining('the query has no result') } },
    });
  });
});
