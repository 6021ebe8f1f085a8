import { expect, it } from 'vitest';
import { QueueReader } from './queue-reader.ts';
import { parseReply } from './read-queue.ts';
import type { QueueSnapshot } from './read-queue.ts';

const snapshot = (waiting: number): QueueSnapshot =>
  parseReply([waiting, 0, 0, 0, 0, 0, 0, 1, 0, 0, -1, 0, 0, 0, 0], 0);

const createReader = () => {
  const state = { now: 0, connected: true, reads: 0, failures: [] as unknown[] };
  let answer: () => Promise<QueueSnapshot> = async () => snapshot(state.reads);
  const reader = new QueueReader({
    read: () => {
      state.reads += 1;
      return answer();
    },
    connected: () => state.connected,
    timing: { queueCacheMs: 1000, queueStaleMs: 15_000, queueReadMs: 30 },
    onFailure: (error) => state.failures.push(error),
    now: () => state.now,
  });
  return { reader, state, answerWith: (next: () => Promise<QueueSnapshot>) => (answer = next) };
};

it('reads once for all scrapes that come at the same time', async () => {
  const { reader, state } = createReader();
  const all = await Promise.all([reader.current(), reader.current(), reader.current()]);
  expect(state.reads).toBe(1);
  expect(all.map((one) => one?.counts.waiting)).toEqual([1, 1, 1]);
});

it('reads again only after a second', async () => {
  const { reader, state } = createReader();
  await reader.current();
  state.now = 999;
  await reader.current();
  expect(state.reads).toBe(1);
  state.now = 1000;
  expect((await reader.current())?.counts.waiting).toBe(2);
});

it('keeps the last good read for 15 s of failures, then knows nothing', async () => {
  const { reader, state, answerWith } = createReader();
  await reader.current();
  answerWith(() => Promise.reject(new Error('LOADING')));
  state.now = 14_999;
  expect((await reader.current())?.counts.waiting).toBe(1);
  expect(reader.lastReadFailed).toBe(true);
  state.now = 15_000;
  expect(await reader.current()).toBeUndefined();
  expect(state.failures).toEqual([new Error('LOADING'), new Error('LOADING')]);
});

it('sends nothing while there is no connection', async () => {
  const { reader, state } = createReader();
  state.connected = false;
  expect(await reader.current()).toBeUndefined();
  expect(state.reads).toBe(0);
  state.connected = true;
  expect((await reader.current())?.counts.waiting).toBe(1);
  expect(reader.lastReadFailed).toBe(false);
});

it('does not wait longer than it should for a Redis that hangs', async () => {
  const { reader, state, answerWith } = createReader();
  answerWith(() => new Promise(() => {}));
  expect(await reader.current()).toBeUndefined();
  expect(state.failures).toEqual([new Error('Redis did not answer within 30 ms')]);
});

it.each([[null], [[1, 2, 3]], [[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'x']]])('takes %j for no snapshot', (reply) => {
  expect(() => parseReply(reply, 0)).toThrow('something else than fifteen numbers');
});

it('gives the age of the oldest job in seconds, never below 0 when clocks differ', () => {
  const ageOf = (oldestReadyAt: number) =>
    parseReply([1, 0, 0, 0, 0, 0, 0, 1, 0, 0, oldestReadyAt, 0, 0, 0, 0], 5000).oldestWaitSeconds;
  expect([ageOf(-1), ageOf(2500), ageOf(9000)]).toEqual([0, 2.5, 0]);
});
