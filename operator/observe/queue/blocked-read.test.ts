import type { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { BlockedRead } from './blocked-read.ts';
import type { RedisAnswer, RedisConnection } from './redis-connection.ts';

class ReplyError extends Error {
  override name = 'ReplyError';
}

const OLD = new Map([['old', '1-0']]);
const NEW = new Map([['new', '1-0']]);
const isNew = (blocked: ReadonlyMap<string, string>) => blocked.has('new');

/** A blocked connection 7, and the connection whose CLIENT UNBLOCK is answered by `unblock`. */
const scene = (unblock: (call: number) => Promise<number>, id: Promise<number> = Promise.resolve(7)) => {
  const calls: number[] = [];
  const commandClient = {
    client: (_: 'UNBLOCK', blocked: number) => unblock(calls.push(blocked)),
  };
  const commands = {
    run: async <T>(commands: (client: unknown) => Promise<T>): Promise<RedisAnswer<T>> => ({
      ok: true,
      value: await commands(commandClient),
    }),
  } as unknown as RedisConnection;
  let resets = 0;
  const ended = Promise.withResolvers<string>();
  const connection = {
    reset: () => {
      resets += 1;
      ended.resolve('reset');
    },
  } as unknown as RedisConnection;
  const read = new BlockedRead(commands, connection);
  const blockedClient = { client: () => id } as unknown as Redis;
  return { read, blockedClient, calls, ended, resets: () => resets };
};

it('is interrupted again when the first interruption overtook it on the way to Redis', async () => {
  const { read, blockedClient, calls, ended, resets } = scene(async (call) => {
    if (call < 3) return 0;
    ended.resolve('unblocked');
    return 1;
  });
  await read.identify(blockedClient);
  const reading = read.during(OLD, () => ended.promise);
  read.interruptUnless(isNew);
  expect(await reading).toBe('unblocked');
  expect(calls).toEqual([7, 7, 7]);
  expect(resets()).toBe(0);
  expect(read.takeReset()).toBe(false);
});

it('is interrupted once however often its set changes in one turn, and not when it hears all already', async () => {
  const { read, blockedClient, calls, ended } = scene(async () => {
    ended.resolve('unblocked');
    return 1;
  });
  await read.identify(blockedClient);
  const fine = Promise.withResolvers<void>();
  const enough = read.during(NEW, () => fine.promise);
  read.interruptUnless(isNew);
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toEqual([]);
  fine.resolve();
  await enough;
  const reading = read.during(OLD, () => ended.promise);
  for (let times = 0; times < 10; times += 1) read.interruptUnless(isNew);
  await reading;
  expect(calls).toEqual([7]);
});

it.each([
  ['Redis forbids CLIENT UNBLOCK', () => scene(() => Promise.reject(new ReplyError('NOPERM')))],
  ['Redis forbids CLIENT ID', () => scene(() => Promise.resolve(1), Promise.reject(new ReplyError('NOPERM')))],
  ['no interruption has an effect', () => scene(() => Promise.resolve(0))],
])('costs its connection when %s, and that is not taken for an outage', async (_, setUp) => {
  const { read, blockedClient, ended, resets } = setUp();
  await read.identify(blockedClient);
  const reading = read.during(OLD, () => ended.promise);
  read.interruptUnless(isNew);
  expect(await reading).toBe('reset');
  expect(resets()).toBe(1);
  expect(read.takeReset()).toBe(true);
  expect(read.takeReset()).toBe(false);
});
