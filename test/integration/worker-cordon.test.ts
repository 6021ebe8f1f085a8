import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { testJob } from '../../worker/handlers/test-job.ts';
import { QueueWorker } from '../../worker/queue/queue-worker.ts';
import type { Testimony } from '../../worker/testimony.ts';
import { DEFAULT_TIMING } from '../../worker/timing.ts';
import { startFaultProxy } from '../fixtures/fault-proxy.ts';
import type { FaultProxy } from '../fixtures/fault-proxy.ts';
import { startRedis } from '../fixtures/redis.ts';
import type { RedisServer } from '../fixtures/redis.ts';
import { POOL_TOKEN, startWorker } from '../fixtures/worker.ts';
import type { WorkerUnderTest } from '../fixtures/worker.ts';

let server: RedisServer;
let admin: Redis;
let dir = '';
let tokenFile = '';
let name = '';
let queues = 0;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'awp-cordon-'));
  tokenFile = join(dir, 'token');
  await writeFile(tokenFile, `${POOL_TOKEN}\n`);
  server = await startRedis({ appendonly: true });
  admin = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  admin.on('error', () => {});
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

afterAll(async () => {
  admin?.disconnect();
  await server?.stop();
  await rm(dir, { recursive: true, force: true });
});

const eventually = (assertion: () => unknown, timeout = 15_000) => vi.waitFor(assertion, { timeout, interval: 10 });

const newQueue = (): Queue => {
  queues += 1;
  name = `jobs-${queues}`;
  const connection = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  connection.on('error', () => {});
  const queue = new Queue(name, { connection });
  queue.on('error', () => {});
  cleanups.push(() => connection.disconnect());
  return queue;
};

const start = async (options: Partial<Parameters<typeof startWorker>[0]> = {}): Promise<WorkerUnderTest> => {
  const handlers = { 'test-job': testJob };
  const worker = await startWorker({ redisUrl: server.url, queue: name, handlers, tokenFile, ...options });
  cleanups.push(() => worker.stop());
  await eventually(async () => expect(await worker.status('/ready')).toBe(200));
  return worker;
};

const cordon = async (worker: WorkerUnderTest, seconds = 60): Promise<Testimony> => {
  const { status, body } = await worker.post('/cordon', { body: { seconds } });
  expect(status).toBe(200);
  return body;
};

const uncordon = async (worker: WorkerUnderTest): Promise<Testimony> => {
  const { status, body } = await worker.post('/uncordon');
  expect(status).toBe(200);
  return body;
};

/** Waits until so many workers of the queue wait in a blocked read. */
const untilBlocked = (count: number) =>
  eventually(async () => {
    const clients = String(await admin.client('LIST')).split('\n');
    const ours = clients.filter((line) => line.includes(`${Buffer.from(name).toString('base64')}:w:`));
    expect(ours.filter((line) => line.includes('cmd=bzpopmin'))).toHaveLength(count);
  });

const completed = (queue: Queue, count: number) =>
  eventually(async () => expect(await queue.getCompletedCount()).toBe(count));

const throughProxy = async (): Promise<{ proxy: FaultProxy; redisUrl: string }> => {
  const proxy = await startFaultProxy({ host: server.host, port: server.port });
  cleanups.push(() => proxy.stop());
  return { proxy, redisUrl: `redis://127.0.0.1:${proxy.port}` };
};

/** Adds a job and waits for its end; resolves with who ran it and how long it waited. */
const runOne = async (queue: Queue): Promise<{ pod: string | undefined; waitMs: number; id: string }> => {
  const { id = '' } = await queue.add('test-job', { durationMs: 0 });
  await eventually(async () => expect((await queue.getJob(id))?.finishedOn).toBeDefined());
  const job = await queue.getJob(id);
  expect(job?.attemptsStarted).toBe(1);
  return { id, pod: job?.processedBy, waitMs: (job?.processedOn ?? Infinity) - (job?.timestamp ?? 0) };
};

it('takes no job once it has answered, swallows no wake-up, and loses none, however close the jobs come', async () => {
  const queue = newQueue();
  const cordoned = await start({ pod: 'cordoned' });
  await start({ pod: 'other' });
  const waits: number[] = [];
  let jobs = 0;
  for (let round = 0; round < 80; round += 1) {
    // Of two that wait, Redis wakes the one that has waited for longer: that shall be the one to be cordoned.
    do {
      jobs += 1;
      await untilBlocked(2);
    } while ((await runOne(queue)).pod !== 'other');
    await untilBlocked(2);
    const answered = cordon(cordoned);
    const after = round % 2 === 0;
    await (after ? answered : sleep(round % 4));
    jobs += 1;
    const { pod, waitMs } = await runOne(queue);
    if (after) expect([round, pod]).toEqual([round, 'other']);
    waits.push(waitMs);
    await answered;
    await uncordon(cordoned);
  }
  expect(await queue.getCompletedCount()).toBe(jobs);
  // A wake-up that is swallowed is 5 s late, the time of a blocked read.
  expect(Math.max(...waits)).toBeLessThan(2_500);
});

it('fetches nothing while it is to take no job, whatever BullMQ asks it for', async () => {
  class Asked extends QueueWorker {
    ask() {
      return this.moveToActive('token', 'asked');
    }
  }
  const queue = newQueue();
  const client = new Redis(server.url, { maxRetriesPerRequest: null });
  const config = { queue: { name, prefix: 'bull' }, podName: 'asked', concurrency: 1 };
  const worker = new Asked({ config, timing: DEFAULT_TIMING, client, processor: async () => undefined });
  cleanups.push(async () => {
    await worker.abandon();
    client.disconnect();
  });
  await worker.stopFetching();
  await queue.add('any', {});
  expect(await worker.ask()).toBeUndefined();
  expect(await queue.getWaitingCount()).toBe(1);
  await worker.fetchAgain();
  expect((await worker.ask()).name).toBe('any');
});

it('knows why the guard is needed: BullMQ, paused while it waits for a job, takes exactly one more', async () => {
  const queue = newQueue();
  const ran: (string | undefined)[] = [];
  const connection = { host: server.host, port: server.port, maxRetriesPerRequest: null };
  const worker = new Worker(name, async (job) => void ran.push(job.id), { connection, name: 'plain' });
  cleanups.push(() => worker.close());
  await untilBlocked(1);
  await worker.pause(true);
  const [first] = [await queue.add('any', {}), await queue.add('any', {})];
  await completed(queue, 1);
  await eventually(() => expect(worker.isRunning()).toBe(false));
  expect(ran).toEqual([first.id]);
  expect(await queue.getWaitingCount()).toBe(1);
});

it('lets what runs go on, is ready until that has ended, and not ready at once then', async () => {
  const queue = newQueue();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const worker = await start({ handlers: { hold: () => released }, concurrency: 2 });
  await queue.addBulk([1, 2, 3].map(() => ({ name: 'hold', data: {} })));
  await eventually(async () => expect(await queue.getActiveCount()).toBe(2));
  const answer = await cordon(worker);
  expect(answer).toMatchObject({ pod: 'worker-under-test', active: 2, slots: 2, stopping: false, held: null });
  expect(Date.parse(answer.cordonedUntil ?? '') - Date.now()).toBeGreaterThan(50_000);
  expect([answer.cordonSecondsLeft > 50, answer.cordonSecondsLeft <= 60]).toEqual([true, true]);
  expect([await worker.status('/ready'), await worker.status('/health')]).toEqual([200, 200]);
  release();
  await completed(queue, 2);
  await eventually(async () => expect(await worker.json('/health')).toMatchObject({ active: 0 }));
  expect(await worker.json('/ready')).toEqual({ ready: false, because: 'cordoned, and no job runs' });
  expect([await worker.status('/livez'), await worker.status('/health')]).toEqual([200, 200]);
  const finished = (await queue.getCompleted()).toSorted((a, b) => (b.finishedOn ?? 0) - (a.finishedOn ?? 0));
  expect(await worker.json('/health')).toMatchObject({
    status: 'ok',
    processStartTime: answer.processStartTime,
    cordonedUntil: expect.any(String),
    lastFinishedJobId: expect.stringMatching(new RegExp(`^(${finished.map((job) => job.id).join('|')})$`)),
  });
  expect(await queue.getWaitingCount()).toBe(1);
  expect(await uncordon(worker)).toMatchObject({ cordonedUntil: null, cordonSecondsLeft: 0 });
  expect(await worker.status('/ready')).toBe(200);
  await completed(queue, 3);
});

it('starts a waiting job at once when it is uncordoned, be it idle or busy', async () => {
  const queue = newQueue();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const worker = await start({ handlers: { 'test-job': testJob, hold: () => released }, concurrency: 2 });
  const waits: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    if (round === 10) await queue.add('hold', {});
    if (round === 10) await eventually(async () => expect(await queue.getActiveCount()).toBe(1));
    await cordon(worker);
    const { id = '' } = await queue.add('test-job', { durationMs: 0 });
    const askedAt = Date.now();
    await uncordon(worker);
    await completed(queue, round + 1);
    waits.push(((await queue.getJob(id))?.processedOn ?? Infinity) - askedAt);
  }
  release();
  expect(Math.max(...waits)).toBeLessThan(1_500);
});

it('ends its cordon by itself, and a further call prolongs it', async () => {
  const queue = newQueue();
  const worker = await start();
  const began = Date.now();
  await cordon(worker, 1.5);
  await queue.add('test-job', { durationMs: 0 });
  await sleep(800);
  expect(await cordon(worker, 1.5)).toMatchObject({ active: 0 });
  await eventually(async () => expect(await worker.json('/health')).toMatchObject({ cordonedUntil: null }));
  await completed(queue, 1);
  const [job] = await queue.getCompleted();
  expect((job?.processedOn ?? 0) - began).toBeGreaterThan(2_250);
  expect(worker.lines.map((line) => line['msg']).filter((msg) => /cordoned/.test(String(msg)))).toEqual([
    'cordoned: taking no new job',
    'uncordoned: taking jobs again',
  ]);
});

it('counts a job from the moment in which Redis gave it away, also when the answer is under way for long', async () => {
  const queue = newQueue();
  const { proxy, redisUrl } = await throughProxy();
  const worker = await start({ redisUrl, handlers: { 'test-job': testJob } });
  await untilBlocked(1);
  proxy.delay(2_500);
  await queue.add('test-job', { durationMs: 0 });
  await eventually(async () => expect(await queue.getActiveCount()).toBe(1));
  // The answer to /health waits a second for its PING, that to /cordon for the fetch: both less than the 2.5 s.
  expect(await worker.json('/health')).toMatchObject({ active: 1, lastFetchAt: null });
  proxy.delay(0);
  await completed(queue, 1);
  await eventually(async () => expect(await worker.json('/health')).toMatchObject({ active: 0 }));
});

it('waits for the fetch under way, and counts the job that it brings', async () => {
  const queue = newQueue();
  const { proxy, redisUrl } = await throughProxy();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const worker = await start({ redisUrl, handlers: { hold: () => released } });
  await untilBlocked(1);
  proxy.delay(400);
  await queue.addBulk([1, 2].map(() => ({ name: 'hold', data: {} })));
  await eventually(async () => expect(await queue.getActiveCount()).toBe(1));
  const answer = await cordon(worker);
  expect([answer.active, answer.lastFetchAt]).toEqual([1, expect.any(String)]);
  proxy.delay(0);
  release();
  await completed(queue, 1);
  expect(await queue.getWaitingCount()).toBe(1);
});

it('says 0 active only when Redis has no job of its name, under a load of short jobs', async () => {
  const queue = newQueue();
  const worker = await start({ pod: 'cordoned', concurrency: 3 });
  await start({ pod: 'other', concurrency: 1 });
  const activeOf = async (pod: string) =>
    (await queue.getActive()).filter((job) => job?.processedBy === pod).map((job) => job.id);
  let proofs = 0;
  for (let round = 0; round < 40; round += 1) {
    await queue.addBulk(Array.from({ length: 12 }, (_, n) => ({ name: 'test-job', data: { durationMs: n % 4 } })));
    let { active } = await cordon(worker);
    while (active > 0) ({ active } = await cordon(worker));
    expect(await activeOf('cordoned')).toEqual([]);
    proofs += 1;
    await uncordon(worker);
  }
  await completed(queue, 40 * 12);
  expect(proofs).toBe(40);
  expect(await queue.getFailedCount()).toBe(0);
});

it('stays cordoned when its connections are killed and when Redis is restarted, and finishes what runs', async () => {
  const queue = newQueue();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const worker = await start({ handlers: { 'test-job': testJob, hold: () => released }, concurrency: 2 });
  await queue.add('hold', {});
  await eventually(async () => expect(await worker.json('/health')).toMatchObject({ active: 1 }));
  await cordon(worker);
  const waiting = await queue.add('test-job', { durationMs: 0 });
  await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await server.kill();
  await eventually(async () => expect(await worker.status('/health')).toBe(503));
  await server.restart();
  await eventually(async () => expect(await worker.status('/health')).toBe(200));
  release();
  await completed(queue, 1);
  await sleep(500); // time in which a worker that forgot its cordon would take the next
  expect(await waiting.getState()).toBe('waiting');
  await uncordon(worker);
  await completed(queue, 2);
});

it.each([true, false])('can be cordoned while Redis is away, idle: %s, and works again after both', async (idle) => {
  const queue = newQueue();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const worker = await start({ handlers: { 'test-job': testJob, hold: () => released } });
  if (!idle) await queue.add('hold', {});
  await eventually(async () => expect(await worker.json('/health')).toMatchObject({ active: idle ? 0 : 1 }));
  await untilBlocked(1);
  await server.kill();
  await eventually(async () => expect(await worker.status('/health')).toBe(503));
  await cordon(worker);
  await server.restart();
  const other = await start({ pod: 'other' });
  await eventually(async () => expect(await worker.json('/health')).toMatchObject({ redis: { connected: true } }));
  const { id = '' } = await queue.add('test-job', { durationMs: 0 });
  await completed(queue, 1);
  const job = await queue.getJob(id);
  expect(job?.processedBy).toBe('other');
  expect((job?.processedOn ?? Infinity) - (job?.timestamp ?? 0)).toBeLessThan(2_500);
  await other.stop();
  await queue.add('test-job', { durationMs: 0 });
  await uncordon(worker);
  release();
  await completed(queue, idle ? 2 : 3);
});

it('works after Redis comes back when it was uncordoned while Redis was away', async () => {
  const queue = newQueue();
  const worker = await start();
  await cordon(worker);
  await server.kill();
  await eventually(async () => expect(await worker.status('/health')).toBe(503));
  await uncordon(worker);
  await server.restart();
  await queue.add('test-job', { durationMs: 0 });
  await completed(queue, 1);
});

it('can be cordoned before it has reached Redis for the first time', async () => {
  newQueue();
  await server.kill();
  const handlers = { 'test-job': testJob };
  const worker = await startWorker({ redisUrl: server.url, queue: name, handlers, tokenFile });
  cleanups.push(() => worker.stop());
  expect(await cordon(worker)).toMatchObject({ active: 0 });
  await server.restart();
  const queue = newQueueOfSameName();
  await eventually(async () =>
    expect(await worker.json('/ready')).toMatchObject({ because: 'cordoned, and no job runs' }),
  );
  await queue.add('test-job', { durationMs: 0 });
  await sleep(300); // time in which it would take the job
  expect(await queue.getCompletedCount()).toBe(0);
  await uncordon(worker);
  await completed(queue, 1);
});

const newQueueOfSameName = (): Queue => {
  const queue = new Queue(name, { connection: { host: server.host, port: server.port } });
  cleanups.push(() => queue.close());
  return queue;
};

it('refuses a wrong token and a request that it does not understand, and changes nothing', async () => {
  newQueue();
  const worker = await start();
  const wrong = 'some-other-token-of-this-length';
  const refused = async (request: Parameters<WorkerUnderTest['post']>[1], path = '/cordon') => {
    const { status, body } = await worker.post(path, request);
    expect(body.error).toMatch(/\w/);
    return status;
  };
  const good = { seconds: 60 };
  expect(await refused({ body: good, token: wrong })).toBe(401);
  expect(await refused({ body: good, token: '' })).toBe(401);
  expect(await refused({ token: wrong }, '/uncordon')).toBe(401);
  expect(await refused({ body: 'x'.repeat(100_000), token: wrong })).toBe(401);
  for (const body of [
    '',
    '{',
    '[]',
    'null',
    '{}',
    { seconds: '60' },
    { seconds: 0 },
    { seconds: 3601 },
    '{"seconds":1e999}',
  ]) {
    expect([body, await refused({ body })]).toEqual([body, 400]);
  }
  expect(await refused({ body: `{"seconds":60,"x":"${'x'.repeat(2_000)}"}` })).toBe(413);
  expect(await worker.json('/health')).toMatchObject({ cordonedUntil: null });
  expect(await worker.status('/cordon')).toBe(405);

  await cordon(worker);
  expect(await refused({ token: wrong }, '/uncordon')).toBe(401);
  expect(await worker.json('/health')).toMatchObject({ cordonedUntil: expect.any(String) });
  const log = JSON.stringify(worker.lines);
  expect([log.includes(wrong), log.includes(POOL_TOKEN)]).toEqual([false, false]);
  expect(worker.lines.filter((line) => line['msg'] === 'a cordon was refused')).toHaveLength(1);
});

it('cannot be cordoned when its token file is gone, nor when it was given none', async () => {
  newQueue();
  const body = { seconds: 60 };
  const missing = await start({ tokenFile: join(dir, 'missing') });
  expect((await missing.post('/cordon', { body })).status).toBe(503);
  const { tokenFile: _none, ...without } = { tokenFile, pod: 'without' };
  const handlers = { 'test-job': testJob };
  const none = await startWorker({ redisUrl: server.url, queue: name, handlers, ...without });
  cleanups.push(() => none.stop());
  expect((await none.post('/cordon', { body })).status).toBe(404);
});
