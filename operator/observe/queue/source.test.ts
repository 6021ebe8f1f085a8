import { describe, expect, it } from 'vitest';
import { known, unknown } from '../../core/known.ts';
import type { QueueSnapshot, RedisAccess } from '../../core/state.ts';
import type { DepthReading, QueueDepth } from './depth.ts';
import { type QueueQuestion, readQueue } from './source.ts';

const fromWorkers = (ready: number, more: Partial<QueueSnapshot> = {}) =>
  known<QueueSnapshot>(
    { ready, active: 1, delayed: 0, failed: 0, paused: false, exists: true, source: 'Workers', ...more },
    10,
  );

const depth: QueueDepth = {
  exists: true,
  waiting: 7,
  prioritized: 0,
  active: 2,
  delayed: 3,
  overdue: 1,
  failed: 4,
  completed: 5,
  waitingChildren: 0,
  paused: false,
  concurrency: undefined,
  rateLimit: undefined,
  limitedForMs: undefined,
  nextDelayedAt: 900,
  oldestReadyAt: 15,
  tip: '5-1',
};
const snapshot: QueueSnapshot = {
  ready: 8,
  active: 2,
  delayed: 2,
  failed: 4,
  paused: false,
  nextDelayedAt: 900,
  oldestWaitMs: 5,
  exists: true,
  source: 'Redis',
};

const redisSays: DepthReading = { depth: known(depth, 20), access: { ok: true } };
const trouble: RedisAccess = { ok: false, trouble: 'RedisUnreachable', because: 'Redis is out' };
const redisIsOut: DepthReading = { depth: unknown('Redis is out'), access: trouble };

const ask = async (question: Partial<QueueQuestion>, reading: DepthReading = redisSays) => {
  let reads = 0;
  const read = () => {
    reads += 1;
    return Promise.resolve(reading);
  };
  const answer = await readQueue({ source: 'Workers', access: () => ({ ok: true }), ...question, read });
  return { ...answer, reads };
};

describe('the source of the queue', () => {
  it('is not the workers before Redis was ever used: whether it takes a rotated URL is not known', async () => {
    const never = { scraped: fromWorkers(5), access: () => undefined };
    expect(await ask(never)).toMatchObject({ queue: { value: snapshot }, redis: { ok: true }, reads: 1 });
    // A URL that Redis refuses is told from one that it takes, and the workers serve all the same.
    expect(await ask(never, redisIsOut)).toMatchObject({ queue: never.scraped, redis: trouble, reads: 1 });
  });

  it('is the workers while they answer and show a backlog: Redis is not asked', async () => {
    const scraped = fromWorkers(5);
    expect(await ask({ scraped })).toEqual({ queue: scraped, redis: { ok: true }, reads: 0 });
  });

  it('tells how the way to Redis stood last when it does not use it', async () => {
    expect(await ask({ scraped: fromWorkers(5), access: () => trouble })).toMatchObject({ redis: trouble, reads: 0 });
  });

  it.each([
    ['nothing waits', { scraped: fromWorkers(0) }],
    ['the queue is paused', { scraped: fromWorkers(5, { paused: true }) }],
    ['an event says that the gauges are old', { scraped: fromWorkers(5), fresh: true }],
  ])('is Redis, with the tip to wake from, when %s', async (_, question) => {
    expect(await ask(question)).toEqual({
      queue: known(snapshot, 20),
      redis: { ok: true },
      tip: '5-1',
      depth,
      reads: 1,
    });
  });

  it('stays with the workers while the pool waits for an event and none has come', async () => {
    const scraped = fromWorkers(0);
    expect(await ask({ scraped, watching: true })).toEqual({ queue: scraped, redis: { ok: true }, reads: 0 });
    expect(await ask({ scraped, watching: true, fresh: true })).toMatchObject({ tip: '5-1', reads: 1 });
    expect(await ask({ scraped: unknown('no answer'), watching: true })).toMatchObject({ tip: '5-1', reads: 1 });
  });

  it('goes on with the last reading while the commands of the minute are used up, says so, and waits for no event', async () => {
    const heldBack = { because: 'the commands are used up', againInMs: 700 };
    const answer = await ask({}, { ...redisSays, heldBack });
    expect(answer).toMatchObject({
      queue: { ok: true, at: 20, value: { ready: 8, fallback: 'no replica is ready; the commands are used up' } },
      againInMs: 700,
    });
    expect(answer).not.toHaveProperty('tip');
    const scraped = fromWorkers(0);
    expect(await ask({ scraped }, { ...redisSays, heldBack })).toEqual({
      queue: scraped,
      redis: { ok: true },
      againInMs: 700,
      reads: 1,
    });
  });

  it('stays with the workers when the operator alone cannot reach Redis, without a tip', async () => {
    const scraped = fromWorkers(0);
    expect(await ask({ scraped }, redisIsOut)).toEqual({ queue: scraped, redis: trouble, reads: 1 });
  });

  it('falls back to Redis when no replica is ready, and says so', async () => {
    expect(await ask({})).toMatchObject({
      queue: { ok: true, value: { ready: 8, source: 'Redis', fallback: 'no replica is ready' } },
      tip: '5-1',
    });
  });

  it('falls back to Redis when the workers do not answer, with their reason', async () => {
    expect(await ask({ scraped: unknown('replica p did not answer') })).toMatchObject({
      queue: { ok: true, value: { source: 'Redis', fallback: 'replica p did not answer' } },
    });
  });

  it('is unknown, with both reasons, when neither answers', async () => {
    expect(await ask({ scraped: unknown('replica p did not answer') }, redisIsOut)).toMatchObject({
      queue: { ok: false, because: 'replica p did not answer; Redis is out' },
      redis: trouble,
    });
  });

  it('is Redis alone when the pool says so, whatever the workers say', async () => {
    const scraped = fromWorkers(5);
    expect(await ask({ source: 'Redis', scraped })).toEqual({
      queue: known(snapshot, 20),
      redis: { ok: true },
      tip: '5-1',
      depth,
      reads: 1,
    });
    expect(await ask({ source: 'Redis', scraped }, redisIsOut)).toMatchObject({
      queue: { ok: false, because: 'Redis is out' },
    });
  });
});
