import { expect, it } from 'vitest';
import { DepthReader } from './depth-reader.ts';
import type { RedisAnswer, RedisConnection } from './redis-connection.ts';

const ROW = [1, 5, 2, 3, 10, 4, 1, 0, 0, '', '', '', '', -2, '', '', '5-1'];

/** A Redis that answers each script when it is told to. */
const fakeRedis = () => {
  const scripts: { keys: string[]; answer: () => Promise<void> }[] = [];
  let failWith: RedisAnswer<never> | undefined;
  const connection = {
    async run<T>(commands: (client: unknown) => Promise<T>): Promise<RedisAnswer<T>> {
      if (failWith) return failWith;
      const call = (_name: string, [, count, ...rest]: [string, number, ...string[]]) =>
        new Promise((resolve) => {
          const keys = rest.slice(0, count);
          const answer = async () => {
            resolve(keys.map((key) => (key === 'bull:bad:' ? ['error', 'WRONGTYPE a key'] : ROW)));
            await settled();
          };
          scripts.push({ keys, answer });
        });
      return { ok: true, value: await commands({ call }) };
    },
  } as unknown as RedisConnection;
  const fail = (answer: RedisAnswer<never>) => {
    failWith = answer;
  };
  return { scripts, connection, fail };
};

const settled = async () => {
  for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve));
};
const queue = (name: string | number) => ({ prefix: 'bull', name: `${name}` });

it('reads all queues that are asked for in one turn in one script, a queue asked for twice once', async () => {
  const { scripts, connection } = fakeRedis();
  const reader = new DepthReader(connection, () => 42);
  const readings = [reader.read(queue('a')), reader.read(queue('b')), reader.read(queue('a'))];
  await settled();
  expect(scripts.map(({ keys }) => keys)).toEqual([['bull:a:', 'bull:b:']]);
  await scripts[0]?.answer();
  for (const reading of readings) {
    expect(await reading).toMatchObject({
      depth: { ok: true, at: 42, value: { waiting: 5, overdue: 4, tip: '5-1' } },
      access: { ok: true },
    });
  }
});

it('serves what is asked for while a script runs by the next one, so that no reading is older than its call', async () => {
  const { scripts, connection } = fakeRedis();
  const reader = new DepthReader(connection, () => 42);
  const first = reader.read(queue('a'));
  await settled();
  let done = false;
  const second = reader.read(queue('a')).then((reading) => {
    done = true;
    return reading;
  });
  await scripts[0]?.answer();
  await first;
  expect(done).toBe(false);
  expect(scripts).toHaveLength(2);
  await scripts[1]?.answer();
  expect(await second).toMatchObject({ access: { ok: true } });
});

it('reads no more than a hundred queues in one script', async () => {
  const { scripts, connection } = fakeRedis();
  const reader = new DepthReader(connection, () => 42);
  const readings = Array.from({ length: 250 }, (_, index) => reader.read(queue(index)));
  for (let script = 0; script < 3; script += 1) {
    await settled();
    await scripts[script]?.answer();
  }
  expect(scripts.map(({ keys }) => keys.length)).toEqual([100, 100, 50]);
  expect((await Promise.all(readings)).every(({ depth }) => depth.ok)).toBe(true);
});

it('lets a queue that cannot be read spoil the reading of no other', async () => {
  const { scripts, connection } = fakeRedis();
  const reader = new DepthReader(connection, () => 42);
  const readings = Promise.all([reader.read(queue('bad')), reader.read(queue('good'))]);
  await settled();
  await scripts[0]?.answer();
  const [bad, good] = await readings;
  expect(bad).toEqual({
    depth: { ok: false, because: 'queue bull:bad: cannot be read: WRONGTYPE a key' },
    access: { ok: true },
  });
  expect(good.depth.ok).toBe(true);
});

it('is unknown, with how the way to Redis stands, when Redis cannot be asked', async () => {
  const { connection, fail } = fakeRedis();
  const failure = { ok: false, trouble: 'RedisUnreachable', because: 'Redis is out' } as const;
  fail(failure);
  const reader = new DepthReader(connection, () => 42);
  expect(await reader.read(queue('a'))).toEqual({ depth: { ok: false, because: 'Redis is out' }, access: failure });
  expect(await reader.read(queue('a'))).toMatchObject({ access: failure });
});
