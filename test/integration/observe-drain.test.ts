// Both witnesses of a drain, and the call that they testify about, on a real worker and a real Redis.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Cordoner } from '../../operator/act/cordon.ts';
import { readActiveJobs } from '../../operator/observe/queue/active-jobs.ts';
import { originOf, ReplicaWitness } from '../../operator/observe/replicas/witness.ts';
import { testJob } from '../../worker/handlers/test-job.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';
import { POOL_TOKEN, startWorker, type WorkerUnderTest } from '../fixtures/worker.ts';

let server: RedisServer;
let client: Redis;
let dir = '';
let tokenFile = '';
let queues = 0;
let mayAct = true;
const now = () => Date.now();
const cordoner = new Cordoner({ now, mayAct: () => mayAct });
const witness = new ReplicaWitness({ now });
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'awp-drain-'));
  tokenFile = join(dir, 'token');
  await writeFile(tokenFile, `${POOL_TOKEN}\n`);
  server = await startRedis();
  client = new Redis(server.url);
});
afterEach(async () => {
  mayAct = true;
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
afterAll(async () => {
  await Promise.all([cordoner.close(), witness.close()]);
  client?.disconnect();
  await server?.stop();
  await rm(dir, { recursive: true, force: true });
});

const eventually = (assertion: () => unknown) => vi.waitFor(assertion, { timeout: 15_000, interval: 20 });

const newQueue = (): Queue => {
  queues += 1;
  const queue = new Queue(`drain-${queues}`, { connection: { host: server.host, port: server.port } });
  cleanups.push(() => queue.close());
  return queue;
};

const start = async (queue: Queue, options: { tokenFile?: string } = { tokenFile }): Promise<WorkerUnderTest> => {
  const handlers = { 'test-job': testJob };
  const worker = await startWorker({ redisUrl: server.url, queue: queue.name, handlers, pod: 'pod-a', ...options });
  cleanups.push(() => worker.stop());
  await eventually(async () => expect(await worker.status('/ready')).toBe(200));
  return worker;
};

const addressOf = ({ port }: WorkerUnderTest) => ({ uid: 'uid-a', name: 'pod-a', ip: '127.0.0.1', port });
const tell = (worker: WorkerUnderTest, seconds: number, token = POOL_TOKEN) =>
  cordoner.tell({ origin: originOf(addressOf(worker)), token, seconds });
const asked = async (worker: WorkerUnderTest) => (await witness.ask([addressOf(worker)]))['uid-a'];
const inRedis = (queue: Queue) => readActiveJobs(client, { prefix: 'bull', name: queue.name }, now());

describe('a replica that runs a job and is told to take no new one', () => {
  it('is busy by both witnesses until the job has ended, and idle by both then', async () => {
    const queue = newQueue();
    const worker = await start(queue);
    const { id } = await queue.add('test-job', { durationMs: 1_500 });
    await eventually(async () => expect(await queue.getActiveCount()).toBe(1));
    const told = await tell(worker, 60);
    expect(told).toMatchObject({ kind: 'cordoned' });
    const processStart = told.kind === 'cordoned' ? told.processStart : '';
    const busy = { name: 'pod-a', processStart, active: 1, cordoned: true };
    expect(await asked(worker)).toMatchObject({ ok: true, value: busy });
    const jobs = { 'pod-a': { jobs: 1, oldestStartedAt: expect.any(Number) as number } };
    expect(await inRedis(queue)).toMatchObject({ ok: true, value: { total: 1, unnamed: 0, byName: jobs } });
    const waiting = await queue.add('test-job', { durationMs: 0 });
    await eventually(async () => expect(await asked(worker)).toMatchObject({ value: { active: 0 } }));
    const last = { job: id, at: expect.any(String) as string };
    expect(await asked(worker)).toMatchObject({ value: { processStart, cordoned: true, lastFinished: last } });
    expect(await inRedis(queue)).toMatchObject({ ok: true, value: { total: 0, unnamed: 0, byName: {} } });
    expect(await waiting.getState()).toBe('waiting');
    expect(await tell(worker, 0)).toMatchObject({ kind: 'cordoned', processStart });
    expect(await asked(worker)).toMatchObject({ value: { cordoned: false } });
    await eventually(async () => expect(await waiting.getState()).toBe('completed'));
  });

  it('hears nobody without the token, and nobody who does not lead any more', async () => {
    const worker = await start(newQueue());
    const because = 'it answers /cordon with status 401';
    const refused = { kind: 'failed', because, unauthorized: true };
    expect(await tell(worker, 60, 'another-token-altogether')).toEqual(refused);
    mayAct = false;
    expect(await tell(worker, 60)).toMatchObject({ kind: 'failed', because: 'this operator does not lead any more' });
    expect(await asked(worker)).toMatchObject({ value: { cordoned: false } });
  });
});

it('a replica without a token file offers no cordon', async () => {
  const worker = await start(newQueue(), {});
  expect(await tell(worker, 60)).toEqual({ kind: 'absent', because: 'it answers /cordon with status 404' });
});

it('a replica that is not there is unknown, and an address that nobody may call is not called', async () => {
  const gone = { uid: 'uid-b', name: 'pod-b', ip: '127.0.0.1', port: 1 };
  const metadata = { uid: 'uid-c', name: 'pod-c', ip: '169.254.169.254', port: 80 };
  const answers = await witness.ask([gone, metadata]);
  expect(answers['uid-b']).toMatchObject({ ok: false, because: expect.stringContaining('ECONNREFUSED') as string });
  expect(answers['uid-c']).toEqual({ ok: false, because: 'it has a link-local address' });
  expect(originOf(metadata)).toBeUndefined();
});

describe('Redis', () => {
  it('counts jobs of a worker without a name apart, and none that ended, whatever name they keep', async () => {
    const queue = newQueue();
    const connection = { host: server.host, port: server.port };
    const release = Promise.withResolvers<void>();
    const plain = new Worker(queue.name, () => release.promise, { connection });
    cleanups.push(() => plain.close());
    await queue.add('any', {});
    await eventually(async () =>
      expect(await inRedis(queue)).toMatchObject({ value: { total: 1, unnamed: 1, byName: {} } }),
    );
    release.resolve();
    await eventually(async () => expect(await inRedis(queue)).toMatchObject({ value: { total: 0, unnamed: 0 } }));
  });

  it('is unknown where a key of the queue is of a wrong type', async () => {
    const queue = newQueue();
    await client.set(`bull:${queue.name}:active`, 'no list');
    const because = expect.stringContaining('WRONGTYPE') as string;
    expect(await inRedis(queue)).toEqual({ ok: false, because });
  });
});
