import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, expect, it, vi } from 'vitest';
import { testJob } from '../../worker/handlers/test-job.ts';
import { freePort, startRedis } from '../fixtures/redis.ts';
import type { RedisServer } from '../fixtures/redis.ts';
import { startWorker } from '../fixtures/worker.ts';
import type { WorkerUnderTest } from '../fixtures/worker.ts';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const redisServer = async (options: Parameters<typeof startRedis>[0] = {}): Promise<RedisServer> => {
  const server = await startRedis(options);
  cleanups.push(() => server.stop());
  return server;
};

const queueAt = (redisUrl: string): Queue => {
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  connection.on('error', () => {});
  const queue = new Queue('jobs', { connection });
  queue.on('error', () => {});
  cleanups.push(async () => connection.disconnect());
  return queue;
};

const worker = async (redisUrl: string, options: Partial<Parameters<typeof startWorker>[0]> = {}) => {
  const timing = { queueCacheMs: 0, ...options.timing };
  const handlers = { 'test-job': testJob };
  const started = await startWorker({ redisUrl, queue: 'jobs', handlers, ...options, timing });
  cleanups.push(() => started.stop());
  return started;
};

const eventually = (assertion: () => unknown, timeout = 10_000) => vi.waitFor(assertion, { timeout, interval: 20 });

const untilReady = (replica: WorkerUnderTest) =>
  eventually(async () => expect(await replica.status('/ready')).toBe(200));

const said = (replica: WorkerUnderTest, msg: string) => replica.lines.filter((line) => line['msg'] === msg);

it('loses no job and runs none twice when Redis is restarted under load', async () => {
  const server = await redisServer({ appendonly: true });
  const queue = queueAt(server.url);
  const runs = new Map<string, number>();
  const handlers = {
    work: async (job: { id?: string }) => {
      runs.set(job.id ?? '', (runs.get(job.id ?? '') ?? 0) + 1);
      await sleep(20 + (runs.size % 7) * 20);
    },
  };
  // A fetch whose answer was lost with the connection leaves a job whose lock must run out first.
  const timing = { lockMs: 6_000, stalledCheckMs: 1_000 };
  const replicas = await Promise.all(
    ['a', 'b'].map((pod) => worker(server.url, { handlers, timing, pod, concurrency: 10 })),
  );
  await queue.addBulk(Array.from({ length: 600 }, (_, n) => ({ name: 'work', data: { n } })));
  await eventually(() => expect(runs.size).toBeGreaterThan(100));
  await server.kill();
  await sleep(1_000);
  await server.restart();
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(600), 40_000);
  expect([runs.size, new Set(runs.values())]).toEqual([600, new Set([1])]);
  expect(await queue.getFailedCount()).toBe(0);
  for (const replica of replicas) {
    expect(said(replica, 'redis connection lost')).toHaveLength(1);
    expect(said(replica, 'redis connected again')).toHaveLength(1);
  }
});

it('finishes the jobs that run through an outage and starts the next within a second after it', async () => {
  const server = await redisServer({ appendonly: true });
  const queue = queueAt(server.url);
  const replica = await worker(server.url, { concurrency: 1 });
  const [first, second] = await queue.addBulk([1, 2].map(() => ({ name: 'test-job', data: { durationMs: 500 } })));
  await eventually(async () => expect(await replica.json('/health')).toMatchObject({ active: 1 }));
  await server.kill();
  await sleep(3_000);
  expect(await replica.json('/health')).toMatchObject({ status: 'degraded', active: 1 });
  await server.restart();
  const backAt = Date.now();
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(2));
  const [one, two] = await Promise.all([first, second].map((job) => queue.getJob(job?.id ?? '')));
  expect([one?.attemptsStarted, two?.attemptsStarted]).toEqual([1, 1]);
  // Reconnecting takes at most the 2 s of the slowest retry.
  expect((two?.processedOn ?? Infinity) - backAt).toBeLessThan(3_000);
});

it('stays ready through an outage, says that it is degraded, and drops the gauges of the queue once they are stale', async () => {
  const server = await redisServer();
  const queue = queueAt(server.url);
  const replica = await worker(server.url, { timing: { queueStaleMs: 1_500 } });
  await untilReady(replica);
  await queue.add('test-job', { durationMs: 0 });
  const completed = 'bullmq_job_count{queue="jobs",state="completed"}';
  await eventually(async () => expect(await replica.series(completed)).toBe(1));
  expect(await replica.series('worker_redis_connected')).toBe(1);
  expect(await replica.status('/health')).toBe(200);

  await server.kill();
  const downAt = Date.now();
  await eventually(async () => expect(await replica.series('worker_redis_connected')).toBe(0));
  expect(await replica.series(completed)).toBe(1);
  expect(Date.now() - downAt).toBeLessThan(3 * 1_500);
  await eventually(async () => expect(await replica.series(completed)).toBeUndefined());
  expect(Date.now() - downAt).toBeGreaterThan(1_000);
  expect(await replica.text()).not.toMatch(/bullmq_(job_count|queue_)/);
  expect(await replica.series('bullmq_worker_concurrency{queue="jobs"}')).toBe(25);
  expect([await replica.status('/ready'), await replica.status('/livez'), await replica.status('/health')]).toEqual([
    200, 200, 503,
  ]);
  expect(await replica.json('/health')).toMatchObject({
    status: 'degraded',
    failedJobs: null,
    redis: { connected: false, latencyMs: null, error: expect.stringContaining('ECONNREFUSED') },
  });

  await server.restart();
  await eventually(async () => expect(await replica.status('/health')).toBe(200));
  expect(await replica.series('worker_redis_connected')).toBe(1);
  expect(await replica.series(completed)).toBe(0);
});

it('answers while Redis hangs within what the operator gives it, and says that it does', async () => {
  const server = await redisServer();
  const replica = await worker(server.url);
  await untilReady(replica);
  await replica.text();
  await server.pause();
  const askedAt = performance.now();
  expect(await replica.series('worker_redis_connected')).toBe(0);
  expect(performance.now() - askedAt).toBeLessThan(3 * 1_000);
  expect(await replica.json('/health')).toMatchObject({
    status: 'degraded',
    redis: { connected: false, error: 'Redis did not answer within 700 ms' },
  });
  // An idle worker stops although Redis never answers again.
  expect(await replica.stop()).toEqual({ ok: true, handedBack: 0, lost: 0 });
  await server.resume();
});

it('waits for a Redis that is not there yet, alive but not ready, and takes up work when it comes', async () => {
  const port = await freePort('127.0.0.1');
  const replica = await worker(`redis://127.0.0.1:${port}`);
  await eventually(async () =>
    expect(await replica.json('/ready')).toEqual({ ready: false, because: expect.stringContaining('ECONNREFUSED') }),
  );
  expect([await replica.status('/livez'), await replica.status('/ready'), await replica.status('/health')]).toEqual([
    200, 503, 503,
  ]);
  const server = await redisServer({ port });
  await untilReady(replica);
  const queue = queueAt(server.url);
  await queue.add('test-job', { durationMs: 0 });
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(1));
});

it('says that its password is wrong without saying the password, and works once it is right', async () => {
  const server = await redisServer({ password: 'the-right-one' });
  const wrong = `redis://:the-wrong-one@127.0.0.1:${server.port}`;
  const replica = await worker(wrong);
  await eventually(async () =>
    expect(await replica.json('/health')).toMatchObject({ redis: { error: expect.stringContaining('WRONGPASS') } }),
  );
  await sleep(500);
  expect(said(replica, 'queue error')).toHaveLength(1);
  const admin = new Redis(server.url);
  await admin.config('SET', 'requirepass', 'the-wrong-one');
  admin.disconnect();
  await untilReady(replica);
  expect(JSON.stringify(replica.lines)).not.toContain('the-wrong-one');
});

it('ends with the reason when Redis forbids what BullMQ cannot do without', async () => {
  const server = await redisServer();
  const admin = new Redis(server.url);
  await admin.acl('SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-info');
  admin.disconnect();
  const replica = await worker(server.url.replace('//', '//limited:secret@'));
  expect(await replica.ended).toMatchObject({ ok: false, because: expect.stringContaining('NOPERM') });
  expect(said(replica, 'stopping: cannot go on')).toHaveLength(1);
});

it('neither spins nor floods its log when Redis refuses to hand out jobs, and goes on when it does again', async () => {
  const server = await redisServer();
  const queue = queueAt(server.url);
  const admin = new Redis(server.url);
  cleanups.push(async () => admin.disconnect());
  await admin.config('SET', 'maxmemory', '1mb'); // less than it needs: every write is refused
  const replica = await worker(server.url, { timing: { fetchRetryMs: 100 } });
  await untilReady(replica);
  await eventually(() => expect(replica.lines.some((line) => String(line['error']).startsWith('OOM'))).toBe(true));
  const calls = async () => Number(/total_commands_processed:(\d+)/.exec(await admin.info('stats'))?.[1]);
  const [before] = [await calls(), await sleep(1_000)];
  expect((await calls()) - before).toBeLessThan(60);
  expect(replica.lines.filter((line) => String(line['error']).startsWith('OOM')).length).toBeLessThan(4);
  expect(await replica.status('/livez')).toBe(200);
  await admin.config('SET', 'maxmemory', '0');
  await queue.add('test-job', { durationMs: 0 });
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(1));
});

it('is degraded when only the connection for fetching is dead', async () => {
  const server = await redisServer();
  const replica = await worker(server.url);
  await untilReady(replica);
  const admin = new Redis(server.url);
  cleanups.push(async () => admin.disconnect());
  const idOfFetching = async () =>
    /^id=(\d+) .* name=\S+:w:worker-under-test /m.exec(String(await admin.client('LIST')))?.[1] ?? '';
  await eventually(async () => expect(await idOfFetching()).not.toBe(''));
  const seen: unknown[] = [];
  await eventually(async () => {
    await admin.client('KILL', 'ID', await idOfFetching()).catch(() => undefined);
    seen.push(await replica.json('/health'));
    expect(seen.at(-1)).toMatchObject({
      status: 'degraded',
      redis: { connected: false, latencyMs: expect.any(Number), error: expect.stringMatching(/fetching is \w+/) },
    });
  });
  await eventually(async () => expect(await replica.status('/health')).toBe(200));
});

it('ends when it is stopped in the moment in which Redis comes back', async () => {
  const server = await redisServer({ appendonly: true });
  const replica = await worker(server.url, { timing: { stopIdleMs: 500 } });
  await untilReady(replica);
  await server.kill();
  // The pauses between its tries have grown: the stop falls between the return and the next one.
  await eventually(() => expect(said(replica, 'redis connection lost')).toHaveLength(1));
  await sleep(2_000);
  await server.restart();
  const began = performance.now();
  await replica.stop();
  expect(performance.now() - began).toBeLessThan(3 * 1_500);
});
