import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { testJob } from '../../worker/handlers/test-job.ts';
import { startRedis } from '../fixtures/redis.ts';
import type { RedisServer } from '../fixtures/redis.ts';
import { startWorker } from '../fixtures/worker.ts';
import type { WorkerUnderTest } from '../fixtures/worker.ts';

const KEY = 'sb_secret_of-the-project-under-test';

let server: RedisServer;
let name = '';
let queues = 0;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  server = await startRedis();
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

afterAll(() => server?.stop());

const eventually = (assertion: () => unknown) => vi.waitFor(assertion, { timeout: 15_000, interval: 10 });

const newQueue = (): Queue => {
  queues += 1;
  name = `jobs-${queues}`;
  const queue = new Queue(name, { connection: { host: server.host, port: server.port } });
  cleanups.push(() => queue.close());
  return queue;
};

/** A gateway that answers with one status, or not at all. */
const startGateway = async () => {
  const gateway = { status: 200 as number | 'hangs', asked: 0, url: '' };
  const http = createServer((_request, response) => {
    gateway.asked += 1;
    if (gateway.status !== 'hangs') response.writeHead(gateway.status).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => http.once('listening', resolve));
  gateway.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  cleanups.push(() => {
    http.closeAllConnections();
    http.close();
  });
  return gateway;
};

const start = async (url: string, mode: 'Required' | 'Optional' = 'Required'): Promise<WorkerUnderTest> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const worker = await startWorker({
    redisUrl: server.url,
    queue: name,
    handlers: { 'test-job': testJob, hold: () => promise },
    supabase: { url, key: KEY, table: 'jobs', mode },
    timing: { checkEveryMs: 200, checkAgainMs: 100, checkMs: 400 },
  });
  cleanups.push(async () => {
    resolve();
    await worker.stop();
    expect(JSON.stringify(worker.lines)).not.toContain(KEY);
  });
  return worker;
};

const untilHeld = (worker: WorkerUnderTest, because: string | null) =>
  eventually(async () => expect(await worker.json('/health')).toMatchObject({ held: because }));

it('takes no new job while Supabase is out, lets those that run go on, spends no attempt, and starts when it is back', async () => {
  const queue = newQueue();
  const gateway = await startGateway();
  const worker = await start(gateway.url);
  const running = await queue.add('test-job', { durationMs: 1_500 });
  await eventually(async () => expect(await running.getState()).toBe('active'));
  for (const [status, because] of [
    [503, 'Supabase answers 503'],
    ['hangs', 'Supabase did not answer within 400 ms'],
  ] as const) {
    gateway.status = status;
    await untilHeld(worker, because);
  }
  const waiting = await queue.addBulk([1, 2, 3].map(() => ({ name: 'test-job', data: { durationMs: 0 } })));
  await eventually(async () => expect(await running.getState()).toBe('completed'));
  const asked = gateway.asked;
  await eventually(() => expect(gateway.asked).toBeGreaterThan(asked + 2));
  expect(await queue.getWaitingCount()).toBe(3);
  // Held is no reason to be replaced: it stays ready.
  expect([await worker.status('/ready'), await worker.status('/health')]).toEqual([200, 503]);
  expect(await worker.series('worker_supabase_connected')).toBe(0);
  gateway.status = 200;
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(4));
  const ends = await Promise.all(waiting.map(async (job) => (await queue.getJob(job.id ?? ''))?.attemptsStarted));
  expect(ends).toEqual([1, 1, 1]);
  expect(await worker.json('/health')).toMatchObject({
    status: 'ok',
    held: null,
    supabase: { mode: 'Required', connected: true, latencyMs: expect.any(Number), error: null, kind: null },
  });
  expect(worker.lines.map((line) => line['msg']).filter((msg) => /Supabase/.test(String(msg)))).toEqual([
    'Supabase is not well',
    'Supabase is not well',
    'Supabase is well again',
  ]);
});

it('starts no job before it knows of Supabase', async () => {
  const queue = newQueue();
  const gateway = await startGateway();
  gateway.status = 503;
  await queue.add('test-job', { durationMs: 0 });
  const worker = await start(gateway.url);
  await eventually(async () => expect(await worker.status('/ready')).toBe(200));
  await eventually(() => expect(gateway.asked).toBeGreaterThan(3));
  expect(await queue.getWaitingCount()).toBe(1);
  gateway.status = 200;
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(1));
});

it.each([
  [401, 'Required', 'Refused'],
  [404, 'Required', 'Refused'],
  [503, 'Optional', 'Outage'],
] as const)('reports %i when Supabase is %s, and works on', async (status, mode, kind) => {
  const queue = newQueue();
  const gateway = await startGateway();
  gateway.status = status;
  const worker = await start(gateway.url, mode);
  await queue.add('test-job', { durationMs: 0 });
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(1));
  await eventually(async () =>
    expect(await worker.json('/health')).toMatchObject({
      held: null,
      supabase: { mode, connected: false, kind, error: expect.stringContaining(String(status)) },
    }),
  );
});
