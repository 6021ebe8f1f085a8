import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, QueueEvents } from 'bullmq';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { JobHandler } from '../../worker/dispatch.ts';
import { heeding, ignoring } from '../fixtures/long-jobs.ts';
import { startRedis } from '../fixtures/redis.ts';
import type { RedisServer } from '../fixtures/redis.ts';
import { POOL_TOKEN, startWorker, startWorkerProcess } from '../fixtures/worker.ts';
import type { WorkerProcess, WorkerUnderTest } from '../fixtures/worker.ts';

const LONG_JOBS = 'test/fixtures/long-jobs-worker.ts';

let server: RedisServer;
let dir = '';
let tokenFile = '';
let name = '';
let queues = 0;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'awp-sigterm-'));
  tokenFile = join(dir, 'token');
  await writeFile(tokenFile, POOL_TOKEN);
  server = await startRedis({ appendonly: true });
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

afterAll(async () => {
  await server?.stop();
  await rm(dir, { recursive: true, force: true });
});

const eventually = (assertion: () => unknown, timeout = 20_000) => vi.waitFor(assertion, { timeout, interval: 10 });

const newQueue = (): Queue => {
  queues += 1;
  name = `jobs-${queues}`;
  const queue = new Queue(name, { connection: { host: server.host, port: server.port } });
  queue.on('error', () => {});
  cleanups.push(() => queue.close());
  return queue;
};

/** Notes what BullMQ says of the queue's jobs, whichever worker did it. */
const watchEvents = async () => {
  const events = new QueueEvents(name, { connection: { host: server.host, port: server.port } });
  cleanups.push(() => events.close());
  await events.waitUntilReady();
  const seen = { failed: 0, stalled: 0 };
  events.on('failed', () => (seen.failed += 1));
  events.on('stalled', () => (seen.stalled += 1));
  return seen;
};

const start = async (options: Partial<Parameters<typeof startWorker>[0]>): Promise<WorkerUnderTest> => {
  const worker = await startWorker({ redisUrl: server.url, queue: name, handlers: {}, tokenFile, ...options });
  cleanups.push(() => worker.stop());
  await eventually(async () => expect(await worker.status('/ready')).toBe(200));
  return worker;
};

const startProcess = async (env: Record<string, string>): Promise<WorkerProcess> => {
  const worker = await startWorkerProcess({ REDIS_URL: server.url, JOB_QUEUE_NAME: name, ...env }, LONG_JOBS);
  cleanups.push(async () => {
    worker.signal('SIGKILL');
    await worker.exit;
  });
  await eventually(async () => expect(await worker.status('/ready').catch(() => 0)).toBe(200));
  return worker;
};

it('hands back what the drain limit leaves, whatever its kind, and exits with 0', async () => {
  const queue = newQueue();
  const events = await watchEvents();
  const terminationLog = join(dir, 'termination-log');
  await writeFile(terminationLog, '');
  const leaving = await startProcess({
    POD_NAME: 'leaving',
    DRAIN_TIMEOUT_SECONDS: '1',
    TERMINATION_LOG: terminationLog,
  });
  await queue.addBulk(
    Array.from({ length: 25 }, (_, n) => ({
      name: n % 5 === 0 ? 'ignoring' : 'heeding',
      data: {},
      opts: n % 2 === 0 ? { priority: 1 + (n % 3), attempts: 3 } : { attempts: 3 },
    })),
  );
  await eventually(async () => expect(await leaving.json('/health')).toMatchObject({ active: 25 }));
  await start({ pod: 'other', handlers: { heeding: async () => 'done', ignoring: async () => 'done' } });
  leaving.signal('SIGTERM');
  expect(await leaving.exit).toBe(0);
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(25));
  expect(events).toEqual({ failed: 0, stalled: 0 });
  const ends = (await queue.getCompleted()).map((job) => [job.processedBy, job.attemptsStarted, job.attemptsMade]);
  expect(new Set(ends.map(String))).toEqual(new Set(['other,2,1']));
  expect(leaving.lines().filter((line) => line['msg'] === 'job handed back before it was done')).toHaveLength(25);
  expect(leaving.lines().at(-1)).toMatchObject({ msg: 'stopped', handedBack: 25 });
  expect(await readFile(terminationLog, 'utf8')).toBe('{"handedBack":25,"lost":0}');
});

it.each([
  ['heeding', 0],
  ['heeding', 2],
  ['ignoring', 0],
  ['ignoring', 2],
])('has an idle replica start the job at once: %s its signal, priority %i', async (handler, priority) => {
  const queue = newQueue();
  const leaving = await start({ handlers: { heeding, ignoring }, drainTimeoutMs: 300, timing: { abortMs: 100 } });
  const { id = '' } = await queue.add(handler, {}, priority === 0 ? {} : { priority });
  await eventually(async () => expect(await leaving.json('/health')).toMatchObject({ active: 1 }));
  await start({ pod: 'other', handlers: { [handler]: async () => 'done' } });
  expect(await leaving.stop()).toEqual({ ok: true, handedBack: 1, lost: 0 });
  const handedBackAt = Date.now();
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(1));
  // Without a wake-up it is 5 s, the time of a blocked read.
  expect(((await queue.getJob(id))?.processedOn ?? Infinity) - handedBackAt).toBeLessThan(3_000);
});

it('stores the result of a job that ends within the limit, or when it is told to end', async () => {
  const queue = newQueue();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const atOnce: JobHandler = async (job, context) => {
    await heeding(job, context).catch(() => undefined);
    return 'as far as I got';
  };
  const leaving = await start({ handlers: { atOnce, soon: () => released }, drainTimeoutMs: 1_500 });
  const jobs = await queue.addBulk([
    { name: 'atOnce', data: {} },
    { name: 'soon', data: {} },
  ]);
  await eventually(async () => expect(await leaving.json('/health')).toMatchObject({ active: 2 }));
  const stopping = leaving.stop();
  await eventually(async () => expect(await leaving.json('/health')).toMatchObject({ stopping: true, active: 2 }));
  const refused = await leaving.post('/uncordon');
  expect([refused.status, refused.body.error]).toEqual([409, expect.stringContaining('stopping')]);
  expect((await leaving.post('/cordon', { body: { seconds: 60 } })).body).toMatchObject({ stopping: true, active: 2 });
  release();
  expect(await stopping).toEqual({ ok: true, handedBack: 0, lost: 0 });
  expect(await Promise.all(jobs.map((job) => job.getState()))).toEqual(['completed', 'completed']);
  expect((await queue.getJob(jobs[0]?.id ?? ''))?.returnvalue).toBe('as far as I got');
});

it('ends in time, and says what is lost, when Redis is away at its end', async () => {
  const queue = newQueue();
  const timing = { abortMs: 100, handBackMs: 300, lockMs: 3_000, stalledCheckMs: 500 };
  const leaving = await start({ handlers: { heeding, ignoring }, drainTimeoutMs: 300, timing });
  await queue.addBulk(['heeding', 'ignoring'].map((job) => ({ name: job, data: {} })));
  await eventually(async () => expect(await leaving.json('/health')).toMatchObject({ active: 2 }));
  await server.kill();
  await eventually(async () => expect(await leaving.status('/health')).toBe(503));
  expect(await leaving.stop()).toEqual({ ok: true, handedBack: 0, lost: 2 });
  await server.restart();
  const handlers = { heeding: async () => 'done', ignoring: async () => 'done' };
  await start({ pod: 'other', handlers, timing });
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(2), 30_000);
  expect(await queue.getFailedCount()).toBe(0);
});
