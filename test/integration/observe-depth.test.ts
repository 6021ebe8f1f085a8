import { type Job, Queue, Worker } from 'bullmq';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type QueueDepth, readDepths, snapshotOf } from '../../operator/observe/queue/depth.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';

let server: RedisServer;
let client: Redis;
const open: { close: () => Promise<unknown> }[] = [];

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url);
});

afterAll(async () => {
  await Promise.all(open.map((each) => each.close()));
  client?.disconnect();
  await server?.stop();
});

const connection = () => ({ host: server.host, port: server.port });

let queues = 0;
/** A queue that nobody used before, with a worker that does only what it is told. */
const newQueue = (prefix = 'bull') => {
  queues += 1;
  const queue = new Queue(`jobs-${queues}`, { connection: connection(), prefix });
  const worker = new Worker(queue.name, null, { connection: connection(), prefix, name: 'by-hand', autorun: false });
  worker.on('error', () => {});
  open.push(worker, queue);
  return { queue, worker };
};

const depthAt = async ({ name, opts }: Queue, now: number): Promise<QueueDepth> => {
  const asked = [
    { prefix: 'bull', name: 'never-used' },
    { prefix: opts.prefix ?? 'bull', name },
  ];
  const [other, depth] = await readDepths(client, asked, now);
  expect(other).toMatchObject({ ok: true, value: { exists: false, waiting: 0, delayed: 0, tip: '0-0' } });
  if (!depth?.ok) throw new Error(depth?.because);
  return depth.value;
};

type Hands = ReturnType<typeof newQueue> & { running: Job[]; token: number };

/** What happens to a queue in a life. */
const steps = {
  add: ({ queue }: Hands) => queue.add('job', {}),
  addFirst: ({ queue }: Hands) => queue.add('job', {}, { lifo: true }),
  addUrgent: ({ queue }: Hands) => queue.add('job', {}, { priority: 1 }),
  addLazy: ({ queue }: Hands) => queue.add('job', {}, { priority: 2_000_000 }),
  addSoon: ({ queue }: Hands) => queue.add('job', {}, { delay: 20_000 }),
  addLate: ({ queue }: Hands) => queue.add('job', {}, { delay: 60_000 }),
  addMany: ({ queue }: Hands) => queue.addBulk(Array.from({ length: 4 }, () => ({ name: 'job', data: {} }))),
  addRetried: ({ queue }: Hands) => queue.add('job', {}, { attempts: 3 }),
  addBackedOff: ({ queue }: Hands) => queue.add('job', {}, { attempts: 3, backoff: { type: 'fixed', delay: 30_000 } }),
  pause: ({ queue }: Hands) => queue.pause(),
  resume: ({ queue }: Hands) => queue.resume(),
  promote: ({ queue }: Hands) => queue.promoteJobs(),
  limit: ({ queue }: Hands) => queue.setGlobalConcurrency(3),
  unlimit: ({ queue }: Hands) => queue.removeGlobalConcurrency(),
  rateLimit: ({ queue }: Hands) => queue.setGlobalRateLimit(100, 1_000),
  async take(hands: Hands) {
    hands.token += 1;
    const job = await hands.worker.getNextJob(`t${hands.token}`, { block: false });
    if (job) hands.running.push(job);
  },
  async complete({ running }: Hands) {
    const job = running.shift();
    await job?.moveToCompleted('done', job.token ?? '', false);
  },
  async fail({ running }: Hands) {
    const job = running.shift();
    await job?.moveToFailed(new Error('no'), job.token ?? '', false);
  },
};

const readyAt = ({ timestamp, opts, processedOn }: Job) => Math.max(timestamp + (opts.delay ?? 0), processedOn ?? 0);

/** The same from BullMQ's own getters, which take a dozen commands. */
const byGetters = async (queue: Queue, now: number) => {
  const counts = await queue.getJobCounts();
  // A job that backs off is due later than its hash says (`timestamp` + `delay`): only the score knows.
  const delayed = await client.zrange(`bull:${queue.name}:delayed`, '0', '-1', 'WITHSCORES');
  const due = delayed.filter((_, index) => index % 2 === 1).map((score) => Math.floor(Number(score) / 4096));
  const waiting = [...(await queue.getWaiting()), ...(await queue.getPrioritized())];
  const meta = await queue.getMeta();
  return {
    counts: {
      waiting: counts['waiting'],
      prioritized: counts['prioritized'],
      active: counts['active'],
      delayed: counts['delayed'],
      failed: counts['failed'],
      completed: counts['completed'],
      waitingChildren: counts['waiting-children'],
      paused: await queue.isPaused(),
      overdue: due.filter((at) => at <= now).length,
      concurrency: meta.concurrency,
      rateLimit: meta.max === undefined ? undefined : { max: meta.max, durationMs: meta.duration },
    },
    upcoming: Math.min(...due.filter((at) => at > now)),
    oldest: Math.min(...waiting.map(readyAt), ...due.filter((at) => at <= now)),
    jobs: waiting.length,
  };
};

const check = async (queue: Queue, now: number) => {
  const depth = await depthAt(queue, now);
  const expected = await byGetters(queue, now);
  expect(depth).toMatchObject(expected.counts);
  expect(depth.nextDelayedAt ?? Infinity).toBe(expected.upcoming);
  // Of more jobs a few are looked at, and that can only miss the oldest.
  if (expected.jobs <= 2) expect(depth.oldestReadyAt ?? Infinity).toBe(expected.oldest);
  else expect(depth.oldestReadyAt).toBeGreaterThanOrEqual(expected.oldest);
  const [tip] = await client.xrevrange(`bull:${queue.name}:events`, '+', '-', 'COUNT', 1);
  expect(depth.tip).toBe(tip?.[0] ?? '0-0');
};

it('says of a queue what BullMQ says itself, whatever happened to it', async () => {
  const step = fc.constantFrom(...(Object.keys(steps) as (keyof typeof steps)[]));
  let checked = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (life) => {
      const hands: Hands = { ...newQueue(), running: [], token: 0 };
      for (const name of life) {
        await steps[name](hands);
        await check(hands.queue, Date.now());
        // A look from the future: what is delayed is overdue, and no worker has promoted it.
        await check(hands.queue, Date.now() + 25_000);
        checked += 2;
      }
      await Promise.all([hands.worker.close(), hands.queue.close()]);
    }),
    { numRuns: 60 },
  );
  expect(checked).toBeGreaterThan(100);
});

it('counts a delayed job as due from its very millisecond on', async () => {
  const { queue } = newQueue();
  const job = await queue.add('job', {}, { delay: 60_000 });
  const due = job.timestamp + 60_000;
  expect(await depthAt(queue, due - 1)).toMatchObject({ delayed: 1, overdue: 0, nextDelayedAt: due });
  expect(await depthAt(queue, due)).toMatchObject({ delayed: 1, overdue: 1, nextDelayedAt: undefined });
  expect(snapshotOf(await depthAt(queue, due + 5), due + 5)).toMatchObject({ ready: 1, delayed: 0, oldestWaitMs: 5 });
});

it.each([
  ['of the least urgent of many priorities', { priority: 9 }, [{ priority: 1 }, { priority: 2 }, { priority: 3 }, {}]],
  ['ahead of many others of its priority', { priority: 1 }, [{ priority: 1 }]],
  ['at the tail, which is next', {}, [{}]],
  ['at the head, when all others jumped the line', {}, Array.from({ length: 5 }, () => ({ lifo: true }))],
])('finds the oldest job %s', async (_, place, others) => {
  const { queue } = newQueue();
  const oldest = Date.now() - 60_000;
  await queue.add('job', {}, { ...place, timestamp: oldest });
  for (const opts of others) await queue.addBulk(Array.from({ length: 4 }, () => ({ name: 'job', data: {}, opts })));
  expect((await depthAt(queue, Date.now())).oldestReadyAt).toBe(oldest);
});

it('tells a queue that was never used from one that is empty', async () => {
  const { queue } = newQueue();
  expect(await depthAt(queue, Date.now())).toMatchObject({ exists: false });
  await queue.add('job', {});
  expect(await depthAt(queue, Date.now())).toMatchObject({ exists: true, waiting: 1 });
  await queue.drain();
  expect(await depthAt(queue, Date.now())).toMatchObject({ exists: true, waiting: 0 });
  await queue.obliterate();
  expect(await depthAt(queue, Date.now())).toMatchObject({ exists: false });
});

it('says how much longer the queue is limited', async () => {
  const { queue } = newQueue();
  await queue.setGlobalRateLimit(1, 30_000);
  await queue.rateLimit(20_000);
  const { limitedForMs } = await depthAt(queue, Date.now());
  expect(limitedForMs).toBeGreaterThan(15_000);
  expect(limitedForMs).toBeLessThanOrEqual(20_000);
});

it('says that the queue is limited only once the limit is used up', async () => {
  const { queue, worker } = newQueue();
  await queue.setGlobalRateLimit(2, 60_000);
  await queue.addBulk(Array.from({ length: 3 }, () => ({ name: 'job', data: {} })));
  await worker.getNextJob('first', { block: false });
  expect(await depthAt(queue, Date.now())).toMatchObject({ active: 1, limitedForMs: undefined });
  await worker.getNextJob('second', { block: false });
  const depth = await depthAt(queue, Date.now());
  expect(depth).toMatchObject({ active: 2, rateLimit: { max: 2, durationMs: 60_000 } });
  expect(depth.limitedForMs).toBeGreaterThan(30_000);
  expect(await worker.getNextJob('third', { block: false })).toBeUndefined();
});

it('reads the paused list and the marker that BullMQ 5 and older left, and removes neither', async () => {
  const base = 'bull:legacy:';
  await client.lpush(`${base}wait`, '0:7', '1', '2');
  await client.rpush(`${base}wait`, '0:9');
  await client.lpush(`${base}paused`, '3', '4');
  const [depth] = await readDepths(client, [{ prefix: 'bull', name: 'legacy' }], Date.now());
  expect(depth).toMatchObject({ ok: true, value: { exists: true, waiting: 5 } });
  expect(await client.llen(`${base}wait`)).toBe(4);
});

it('keeps queues of different prefixes apart', async () => {
  const { queue } = newQueue('{other}');
  await queue.add('job', {});
  expect(await depthAt(queue, Date.now())).toMatchObject({ waiting: 1 });
  const [same] = await readDepths(client, [{ prefix: 'bull', name: queue.name }], Date.now());
  expect(same).toMatchObject({ ok: true, value: { exists: false } });
});

it('is not put off by a key of a wrong type on another queue, and says which queue it is', async () => {
  const { queue } = newQueue();
  await queue.add('job', {});
  await client.set('bull:broken:wait', 'not a list');
  const names = ['broken', queue.name].map((name) => ({ prefix: 'bull', name }));
  const [broken, fine] = await readDepths(client, names, Date.now());
  expect(broken).toMatchObject({ ok: false, because: expect.stringMatching(/bull:broken: cannot be read: WRONGTYPE/) });
  expect(fine).toMatchObject({ ok: true, value: { waiting: 1 } });
});

it('writes nothing, and reads a hundred queues in milliseconds', async () => {
  const names = Array.from({ length: 100 }, (_, index) => ({ prefix: 'bull', name: `jobs-${index}` }));
  const writes = async () => /rdb_changes_since_last_save:(\d+)/.exec(await client.info('persistence'))?.[1];
  const before = await writes();
  const times: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    const started = performance.now();
    expect(await readDepths(client, names, Date.now())).toHaveLength(100);
    times.push(performance.now() - started);
  }
  expect(before).toMatch(/^\d+$/);
  expect(await writes()).toBe(before);
  const median = times.sort((a, b) => a - b)[10] ?? Infinity;
  console.log(`100 queues in one script: median ${median.toFixed(1)} ms`);
  expect(median).toBeLessThan(100);
});

it('reads with EVAL where there is no EVAL_RO', async () => {
  const old = await startRedis({ args: ['--rename-command', 'EVAL_RO', ''] });
  const oldClient = new Redis(old.url);
  try {
    await oldClient.lpush('bull:q:wait', '1');
    await expect(oldClient.call('EVAL_RO', 'return 1', 0)).rejects.toThrow(/unknown command/);
    const [depth] = await readDepths(oldClient, [{ prefix: 'bull', name: 'q' }], Date.now());
    expect(depth).toMatchObject({ ok: true, value: { waiting: 1 } });
  } finally {
    oldClient.disconnect();
    await old.stop();
  }
});

it('does not take the trace of an idle worker in an empty Redis for a queue', async () => {
  await client.hset('bull:failed-over:meta', 'opts.maxLenEvents', 10_000);
  const [depth] = await readDepths(client, [{ prefix: 'bull', name: 'failed-over' }], Date.now());
  expect(depth).toMatchObject({ ok: true, value: { exists: false } });
  await client.hset('bull:failed-over:meta', 'paused', 1);
  const [paused] = await readDepths(client, [{ prefix: 'bull', name: 'failed-over' }], Date.now());
  expect(paused).toMatchObject({ ok: true, value: { exists: true, paused: true } });
});
