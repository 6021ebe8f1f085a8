import { beforeEach, expect, it } from 'vitest';
import { DepthReader } from './depth-reader.ts';
import type { RedisAnswer, RedisConnection } from './redis-connection.ts';

/** When the first delayed job of every queue is due. */
let dueAt: number | undefined;
const rowOf = () => {
  const upcoming = dueAt === undefined ? '' : `${dueAt * 4096}`;
  return [1, 5, 2, 3, 10, 4, 1, 0, 0, '', '', '', '', 0, upcoming, '', '5-1'];
};

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
            resolve(keys.map((key) => (key === 'bull:bad:' ? ['error', 'WRONGTYPE a key'] : rowOf())));
            await settled();
          };
          scripts.push({ keys, answer });
        });
      return { ok: true, value: await commands({ call }) };
    },
    takeCommands: () => 1,
  } as unknown as RedisConnection;
  const fail = (answer: RedisAnswer<never>) => {
    failWith = answer;
  };
  return { scripts, connection, fail };
};

const settled = async () => {
  for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve));
};
const ask = (name: string | number, maxAgeMs = 0) => ({
  poolKey: `ns/${name}`,
  queue: { prefix: 'bull', name: `${name}` },
  maxAgeMs,
});

/** What was charged to whom, and the sleeping pools that there are. */
let charged: [poolKeys: readonly string[], commands: number][];
let now: number;
let asleep: readonly string[];
beforeEach(() => {
  charged = [];
  now = 42;
  dueAt = undefined;
  asleep = [];
});
const readerOf = (connection: RedisConnection) =>
  new DepthReader(connection, {
    now: () => now,
    companionsOf: () => asleep.map((name) => ask(name)),
    onCommands: (...charge) => charged.push(charge),
  });

it('reads all queues that are asked for in one turn in one script, a queue asked for twice once', async () => {
  const { scripts, connection } = fakeRedis();
  const reader = readerOf(connection);
  const readings = [reader.read(ask('a')), reader.read(ask('b')), reader.read(ask('a'))];
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
  const reader = readerOf(connection);
  const first = reader.read(ask('a'));
  await settled();
  let done = false;
  const second = reader.read(ask('a')).then((reading) => {
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
  const reader = readerOf(connection);
  const readings = Array.from({ length: 250 }, (_, index) => reader.read(ask(index)));
  for (let script = 0; script < 3; script += 1) {
    await settled();
    await scripts[script]?.answer();
  }
  expect(scripts.map(({ keys }) => keys.length)).toEqual([100, 100, 50]);
  expect((await Promise.all(readings)).every(({ depth }) => depth.ok)).toBe(true);
});

it('lets a queue that cannot be read spoil the reading of no other', async () => {
  const { scripts, connection } = fakeRedis();
  const reader = readerOf(connection);
  const readings = Promise.all([reader.read(ask('bad')), reader.read(ask('good'))]);
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
  const reader = readerOf(connection);
  expect(await reader.read(ask('a'))).toEqual({ depth: { ok: false, because: 'Redis is out' }, access: failure });
  expect(await reader.read(ask('a'))).toMatchObject({ access: failure });
});

it('takes sleeping pools along in the script of the first of them, and answers the others from it', async () => {
  const { scripts, connection } = fakeRedis();
  const reader = readerOf(connection);
  asleep = ['a', 'b', 'c'];
  const first = reader.read(ask('a', 2_000));
  await settled();
  await scripts[0]?.answer();
  await first;
  expect(scripts.map(({ keys }) => keys)).toEqual([['bull:a:', 'bull:b:', 'bull:c:']]);
  expect(charged).toEqual([[['ns/a', 'ns/b', 'ns/c'], 1]]);
  now += 2_000;
  expect(await reader.read(ask('b', 2_000))).toMatchObject({ depth: { ok: true, at: 42 } });
  expect(scripts).toHaveLength(1);
});

it('reads anew what an event spoke of, what is older than its question allows, and what has become due', async () => {
  const { scripts, connection } = fakeRedis();
  const reader = readerOf(connection);
  asleep = ['late'];
  const first = reader.read(ask('late', 2_000));
  await settled();
  await scripts[0]?.answer();
  await first;
  now += 1;
  void reader.read(ask('late', 0));
  await settled();
  expect(scripts).toHaveLength(2);
  await scripts[1]?.answer();
  now += 2_001;
  void reader.read(ask('late', 2_000));
  await settled();
  expect(scripts).toHaveLength(3);
  await scripts[2]?.answer();
  dueAt = now + 100;
  void reader.read(ask('late', 0));
  await settled();
  await scripts[3]?.answer();
  now += 100;
  void reader.read(ask('late', 2_000));
  await settled();
  expect(scripts).toHaveLength(5);
});

it('takes nobody along where an event asks, and nobody who was read lately', async () => {
  const { scripts, connection } = fakeRedis();
  const reader = readerOf(connection);
  asleep = ['b'];
  void reader.read(ask('a', 0));
  await settled();
  await scripts[0]?.answer();
  void reader.read(ask('c', 2_000));
  await settled();
  await scripts[1]?.answer();
  now += 10_000;
  void reader.read(ask('c', 2_000));
  await settled();
  expect(scripts.map(({ keys }) => keys)).toEqual([['bull:a:'], ['bull:c:', 'bull:b:'], ['bull:c:']]);
});

it('asks for a queue that the user may not read on its own, so that the others are read', async () => {
  const scripts: string[][] = [];
  const because = 'Redis forbids it to the user of the URL: this user has no permissions to access a key';
  const refused = { ok: false, trouble: 'RedisAuthFailed', because } as const;
  let granted = false;
  const connection = {
    async run<T>(commands: (client: unknown) => Promise<T>): Promise<RedisAnswer<T>> {
      let keys: string[] = [];
      const call = async (_name: string, [, count, ...rest]: [string, number, ...string[]]) => {
        keys = rest.slice(0, count);
        return keys.map(rowOf);
      };
      const value = await commands({ call });
      scripts.push(keys);
      return granted || !keys.includes('bull:secret:') ? { ok: true, value } : refused;
    },
    takeCommands: () => 1,
  } as unknown as RedisConnection;
  const reader = readerOf(connection);
  asleep = ['secret'];
  const readAll = () => Promise.all(['a', 'b', 'secret', 'c'].map((name) => reader.read(ask(name, 2))));
  const good = { access: { ok: true }, depth: { ok: true } };
  const bad = { access: refused, depth: { ok: false, because } };
  expect(await readAll()).toMatchObject([good, good, bad, good]);
  expect(scripts.splice(0)).toEqual([
    ['bull:a:', 'bull:b:', 'bull:secret:', 'bull:c:'],
    ['bull:a:', 'bull:b:'],
    ['bull:secret:', 'bull:c:'],
    ['bull:secret:'],
    ['bull:c:'],
  ]);
  now += 10;
  expect(await readAll()).toMatchObject([good, good, bad, good]);
  expect(scripts.splice(0)).toEqual([['bull:a:', 'bull:b:', 'bull:c:'], ['bull:secret:']]);
  granted = true;
  now += 10;
  expect(await readAll()).toMatchObject([good, good, good, good]);
  now += 10;
  scripts.length = 0;
  await readAll();
  expect(scripts).toEqual([['bull:a:', 'bull:b:', 'bull:secret:', 'bull:c:']]);
});
