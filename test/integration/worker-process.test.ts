import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { startRedis } from '../fixtures/redis.ts';
import type { RedisServer } from '../fixtures/redis.ts';
import { startWorkerProcess } from '../fixtures/worker.ts';
import type { WorkerProcess } from '../fixtures/worker.ts';

const PASSWORD = 'p%s/w:ö@d';

let server: RedisServer;
let queue: Queue;
let queues = 0;
const started: WorkerProcess[] = [];

beforeAll(async () => {
  server = await startRedis({ password: PASSWORD });
});

afterEach(async () => {
  for (const worker of started.splice(0)) {
    worker.signal('SIGKILL');
    await worker.exit;
    expect(worker.output()).not.toContain(PASSWORD);
    expect(worker.output()).not.toContain(encodeURIComponent(PASSWORD));
  }
  await queue?.close();
});

afterAll(() => server?.stop());

const connection = () => ({ host: server.host, port: server.port, password: PASSWORD, maxRetriesPerRequest: null });

const eventually = (assertion: () => unknown) => vi.waitFor(assertion, { timeout: 15_000, interval: 10 });

const start = async (env: Record<string, string> = {}): Promise<WorkerProcess> => {
  queues += 1;
  const name = `jobs-${queues}`;
  queue = new Queue(name, { connection: connection() });
  const worker = await startWorkerProcess({ REDIS_URL: server.url, JOB_QUEUE_NAME: name, ...env });
  started.push(worker);
  return worker;
};

const startReady = async (env: Record<string, string> = {}): Promise<WorkerProcess> => {
  const worker = await start(env);
  await eventually(async () => expect(await worker.status('/ready').catch(() => 0)).toBe(200));
  return worker;
};

it('finishes the job that runs on SIGTERM, takes no other, and exits with 0', async () => {
  const worker = await startReady({ JOB_CONCURRENCY: '1' });
  const [running, waiting] = await queue.addBulk([1, 2].map(() => ({ name: 'test-job', data: { durationMs: 3000 } })));
  const active = `bullmq_worker_active_jobs{queue="${queue.name}"}`;
  // Redis calls a job active a moment before the worker has it in its hands.
  await eventually(async () => expect(await worker.series(active)).toBe(1));
  worker.signal('SIGTERM');
  await eventually(() => expect(worker.output()).toContain('"active":1,"msg":"stopping'));
  // Kubernetes still wants to know how it is doing.
  expect([await worker.status('/livez'), await worker.status('/ready'), await worker.status('/health')]).toEqual([
    200, 200, 200,
  ]);
  expect(await worker.series(active)).toBe(1);
  expect(await worker.exit).toBe(0);
  expect([await running?.getState(), await waiting?.getState()]).toEqual(['completed', 'waiting']);
  expect(worker.lines().at(-1)).toMatchObject({ level: 'info', msg: 'stopped', pod: 'worker-1', queue: queue.name });
});

it('exits at once with 1 on a second signal', async () => {
  const worker = await startReady();
  const job = await queue.add('test-job', { durationMs: 60_000 });
  await eventually(async () => expect(await job.getState()).toBe('active'));
  worker.signal('SIGTERM');
  await eventually(() => expect(worker.output()).toContain('stopping'));
  worker.signal('SIGINT');
  expect(await worker.exit).toBe(1);
});

it('listens to SIGTERM from its first moment, also before it is ready', async () => {
  const worker = await start({ REDIS_URL: 'redis://127.0.0.1:1' });
  await eventually(async () => expect(await worker.status('/livez').catch(() => 0)).toBe(200));
  worker.signal('SIGTERM');
  expect(await worker.exit).toBe(0);
});

it('lists every problem of its environment at once and exits with 1', async () => {
  const worker = await start({
    REDIS_URL: `http://:${encodeURIComponent(PASSWORD)}@h`,
    JOB_QUEUE_NAME: '',
    POD_NAME: '',
    JOB_CONCURRENCY: '0',
    PORT: 'x',
    LOG_LEVEL: 'loud',
  });
  expect(await worker.exit).toBe(1);
  expect(worker.lines()).toEqual([
    expect.objectContaining({
      level: 'fatal',
      msg: 'the environment cannot be used',
      problems: [
        expect.stringMatching(/^REDIS_URL must be a URL/),
        expect.stringMatching(/^JOB_QUEUE_NAME is missing/),
        expect.stringMatching(/^JOB_CONCURRENCY must be a whole number/),
        expect.stringMatching(/^POD_NAME is missing/),
        expect.stringMatching(/^PORT must be a whole number/),
        expect.stringMatching(/^LOG_LEVEL must be one of/),
      ],
    }),
  ]);
});

it('says that its port is taken and exits with 1', async () => {
  const holder = createServer().listen(0);
  await new Promise((resolve) => holder.once('listening', resolve));
  const worker = await start({ PORT: String((holder.address() as AddressInfo).port) });
  expect(await worker.exit).toBe(1);
  expect(worker.lines().at(-1)).toMatchObject({ level: 'fatal', error: expect.stringContaining('EADDRINUSE') });
  holder.close();
});

it('logs one JSON line for each fact of its life, and nothing of a payload', async () => {
  const worker = await startReady();
  const job = await queue.add('test-job', { durationMs: 1, note: 'private-note' }, { attempts: 1 });
  await eventually(async () => expect(await job.getState()).toBe('completed'));
  await queue.add('test-job', { durationMs: 'private-text' });
  await eventually(() => expect(worker.output()).toContain('job failed for good'));
  worker.signal('SIGTERM');
  expect(await worker.exit).toBe(0);
  expect(worker.lines().map((line) => line['msg'])).toEqual([
    'started',
    'redis connected',
    'ready for jobs',
    'job failed for good',
    'stopping: finishing the jobs that run, taking no new one',
    'stopped',
  ]);
  expect(worker.output().split('\n').filter(Boolean)).toHaveLength(6);
  expect(worker.output()).not.toContain('private');
  expect(worker.lines()[0]).toMatchObject({ redis: `redis://127.0.0.1:${server.port}`, concurrency: 25 });
});
