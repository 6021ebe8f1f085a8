import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import type { PoolRedis } from '../../operator/observe/queue/pool-redis.ts';
import { RedisAccessRegistry } from '../../operator/observe/queue/redis-access.ts';
import { until } from '../cluster/until.ts';
import { type RedisOptions, type RedisServer, startRedis } from '../fixtures/redis.ts';
import { startTlsRedis } from '../fixtures/redis-tls.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const start = async (options: RedisOptions = {}): Promise<RedisServer> => {
  const server = await startRedis(options);
  cleanups.push(() => server.stop());
  return server;
};

const newRegistry = () => {
  const registry = new RedisAccessRegistry({ now: Date.now, onWake: () => {} });
  cleanups.push(() => registry.close());
  return registry;
};

const open = (url: string, registry = newRegistry(), { poolKey = 'ns/a', name = 'q' } = {}): PoolRedis => {
  const opened = registry.open(poolKey, { url, queue: { prefix: 'bull', name }, commandsPerMinute: 1e9 });
  if (!opened.ok) throw new Error(opened.because);
  return opened;
};

const admin = (server: RedisServer, url = server.url): Redis => {
  const client = new Redis(url);
  cleanups.push(() => client.disconnect());
  return client;
};

const fresh = { fresh: true };
const urlFor = ({ host, port }: RedisServer, credentials: string) => `redis://${credentials}@${host}:${port}`;
const stat = async (client: Redis, name: string) =>
  Number(new RegExp(`${name}:(\\d+)`).exec(await client.info('stats'))?.[1]);

describe('the way to Redis', () => {
  it('reads the database and as the user of the URL', async () => {
    const server = await start({ password: 'all' });
    const root = admin(server);
    await root.call('ACL', 'SETUSER', 'bob', 'on', '>p@ss/w:rd', '~bull:*', '+@read', '+eval_ro', '+hello', '+select');
    const inThree = new Redis({ host: server.host, port: server.port, password: 'all', db: 3 });
    cleanups.push(() => inThree.disconnect());
    await inThree.lpush('bull:q:wait', '1');
    const url = `${urlFor(server, `bob:${encodeURIComponent('p@ss/w:rd')}`)}/3`;
    expect(await open(url).read(fresh)).toMatchObject({ depth: { ok: true, value: { waiting: 1 } } });
    expect(await open(urlFor(server, ':all')).read(fresh)).toMatchObject({ depth: { value: { waiting: 0 } } });
  });

  it('is tried once although the commands of the minute are used up: whether Redis takes a new URL has to be known', async () => {
    const [before, after] = [await start(), await start()];
    const registry = newRegistry();
    const at = ({ url }: RedisServer): PoolRedis => {
      const opened = registry.open('ns/a', { url, queue: { prefix: 'bull', name: 'q' }, commandsPerMinute: 10 });
      if (!opened.ok) throw new Error(opened.because);
      return opened;
    };
    const isHeldBack = async (pool: PoolRedis) => (await pool.read(fresh)).heldBack !== undefined;
    await until(() => isHeldBack(at(before)), { what: 'the commands are used up' });
    expect(at(after).lastUse()).toBeUndefined();
    expect(await isHeldBack(at(after))).toBe(false);
    expect(await isHeldBack(at(after))).toBe(true);
  });

  it('is shared by the pools of one Redis, whatever they ask for at once', async () => {
    const server = await start();
    const root = admin(server);
    const connectionsBefore = await stat(root, 'total_connections_received');
    const registry = newRegistry();
    const pools = Array.from({ length: 250 }, (_, index) =>
      open(server.url, registry, { poolKey: `ns/${index}`, name: `q${index}` }),
    );
    const readings = await Promise.all(pools.map((pool) => pool.read(fresh)));
    expect(readings.every(({ depth, access }) => depth.ok && access.ok)).toBe(true);
    expect((await stat(root, 'total_connections_received')) - connectionsBefore).toBe(1);
    expect(await root.info('commandstats')).toMatch(/cmdstat_eval_ro:calls=3,/);
  });

  it('sends no more commands for a pool than its budget, goes on with the last reading, and counts them all', async () => {
    const server = await start();
    const root = admin(server);
    const counted = new Map<string, number>();
    const registry = new RedisAccessRegistry({
      now: Date.now,
      onWake: () => {},
      onCommands: (key, commands) => counted.set(key, (counted.get(key) ?? 0) + commands),
    });
    cleanups.push(() => registry.close());
    const opened = registry.open('ns/a', {
      url: server.url,
      queue: { prefix: 'bull', name: 'q' },
      commandsPerMinute: 40,
    });
    if (!opened.ok) throw new Error(opened.because);
    const heldBack = [];
    const began = performance.now();
    for (let reads = 0; reads < 200; reads += 1) {
      const reading = await opened.read(fresh);
      expect(reading.depth.ok).toBe(true);
      if (reading.heldBack) heldBack.push(reading.heldBack);
    }
    const seconds = (performance.now() - began) / 1000;
    expect(heldBack.length).toBeGreaterThan(150);
    expect(heldBack[0]?.because).toContain('the 40 Redis commands a minute of spec.queue.commandsPerMinute');
    expect(heldBack[0]?.againInMs).toBeGreaterThan(0);
    // Our connection is the only one that sends these.
    const stats = [
      ...(await root.info('commandstats')).matchAll(/cmdstat_(?:eval_ro|hello|client\|setname):calls=(\d+)/g),
    ];
    const sent = stats.reduce((sum, [, calls]) => sum + Number(calls), 0);
    expect(sent).toBeLessThanOrEqual(10 + seconds / 2 + 4);
    expect(counted.get('ns/a')).toBeGreaterThanOrEqual(sent - 3);
  });

  it('is closed when the last pool leaves', async () => {
    const server = await start();
    const root = admin(server);
    const registry = newRegistry();
    await open(server.url, registry).read(fresh);
    const connected = async () =>
      String(await root.client('LIST'))
        .split('\n')
        .filter((line) => line.includes('name=agent-worker-pool-operator')).length;
    expect(await connected()).toBe(1);
    registry.release('ns/a');
    await until(async () => (await connected()) === 0, { what: 'the connection is closed' });
  });

  it.each([
    ['a wrong password', ':wrong', /refuses the user or password of the URL \(WRONGPASS\)/],
    ['a user that does not exist', 'eve:wrong', /refuses the user or password of the URL \(WRONGPASS\)/],
  ])('says that Redis refuses %s, without repeating it, and does not hammer', async (_, credentials, because) => {
    const server = await start({ password: 'right' });
    const root = admin(server);
    const pool = open(urlFor(server, credentials));
    const before = await stat(root, 'total_connections_received');
    const end = performance.now() + 3_000;
    while (performance.now() < end) {
      const reading = await pool.read(fresh);
      expect(reading.access).toMatchObject({ ok: false, trouble: 'RedisAuthFailed' });
      expect(reading.depth).toMatchObject({ ok: false, because: expect.stringMatching(because) });
      expect(JSON.stringify(reading)).not.toMatch(/wrong|eve|right/);
    }
    expect(pool.lastUse()?.access).toMatchObject({ trouble: 'RedisAuthFailed' });
    expect((await stat(root, 'total_connections_received')) - before).toBeLessThanOrEqual(5);
  });

  it('says that a password is asked for where the URL has none', async () => {
    const server = await start({ password: 'right' });
    const { access } = await open(`redis://${server.host}:${server.port}`).read(fresh);
    expect(access).toMatchObject({ trouble: 'RedisAuthFailed', because: expect.stringContaining('NOAUTH') });
  });

  it('says which right the user lacks, without the name of the user', async () => {
    const server = await start();
    const root = admin(server);
    await root.call('ACL', 'SETUSER', 'bob', 'on', '>pw', '~bull:*', '+@read', '+hello');
    const { access } = await open(urlFor(server, 'bob:pw')).read(fresh);
    expect(access).toMatchObject({ trouble: 'RedisAuthFailed', because: expect.stringMatching(/eval_ro/) });
    expect(JSON.stringify(access)).not.toContain('bob');
  });

  it('uses a new URL of the pool at once, without waiting for the next try of the old one', async () => {
    const server = await start({ password: 'right' });
    const registry = newRegistry();
    expect((await open(urlFor(server, ':wrong'), registry).read(fresh)).access.ok).toBe(false);
    expect((await open(urlFor(server, ':right'), registry).read(fresh)).access.ok).toBe(true);
    expect(registry.size).toBe(1);
  });

  it('says that Redis is gone at once, and works again within 3 s of its return', async () => {
    const server = await start();
    const pool = open(server.url);
    expect((await pool.read(fresh)).access.ok).toBe(true);
    await server.kill();
    const started = performance.now();
    await until(async () => !(await pool.read(fresh)).access.ok, { what: 'the outage is seen' });
    expect(performance.now() - started).toBeLessThan(3 * 1_000);
    await until(async () => /ECONNREFUSED/.test(JSON.stringify((await pool.read(fresh)).access)), {
      what: 'the reason is known',
    });
    await server.restart();
    const back = performance.now();
    await until(async () => (await pool.read(fresh)).access.ok, { what: 'Redis is read again' });
    expect(performance.now() - back).toBeLessThan(3 * 3_000);
  });

  it('is unknown within its limit while Redis hangs, and works again when Redis goes on', async () => {
    const server = await start();
    const pool = open(server.url);
    await pool.read(fresh);
    await server.pause();
    const times: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      const started = performance.now();
      expect(await pool.read(fresh)).toMatchObject({ depth: { ok: false }, access: { trouble: 'RedisUnreachable' } });
      times.push(performance.now() - started);
    }
    expect(Math.max(...times)).toBeLessThan(3 * 2_500);
    await server.resume();
    await until(async () => (await pool.read(fresh)).access.ok, { what: 'Redis is read again' });
  });

  it('is usable while Redis answers, also for a queue that cannot be read', async () => {
    const server = await start();
    await admin(server).set('bull:q:wait', 'not a list');
    expect(await open(server.url).read(fresh)).toMatchObject({ depth: { ok: false }, access: { ok: true } });
  });
});

const startWithTls = async () => {
  const tls = await startTlsRedis();
  cleanups.push(tls.stop);
  return tls;
};

describe('the way to a Redis with TLS', () => {
  it('leads only to a certificate that is trusted and for its name', async () => {
    const { server, tlsPort, certificate } = await startWithTls();
    const through = (url: string) => open(url, newRegistry()).read(fresh);
    expect(await through(`rediss://localhost:${tlsPort}`)).toMatchObject({
      access: { trouble: 'RedisUnreachable', because: expect.stringContaining('its certificate is self-signed') },
    });
    expect(await through(`rediss://localhost:${server.port}`)).toMatchObject({
      access: { trouble: 'RedisUnreachable', because: expect.stringContaining('no TLS where the URL says rediss://') },
    });
    const plain = await through(`redis://localhost:${tlsPort}`);
    expect(plain).toMatchObject({
      access: { trouble: 'RedisUnreachable', because: expect.stringContaining('is TLS') },
    });

    const before = getCACertificates('default');
    cleanups.push(() => setDefaultCACertificates(before));
    setDefaultCACertificates([...before, certificate]);
    await admin(server).lpush('bull:q:wait', '1');
    expect(await through(`rediss://localhost:${tlsPort}`)).toMatchObject({ depth: { value: { waiting: 1 } } });
    expect(await through(`rediss://127.0.0.1:${tlsPort}`)).toMatchObject({
      access: { trouble: 'RedisUnreachable', because: expect.stringContaining('certificate is for another name') },
    });
  });
});

describe('pools that sleep', () => {
  const PERIOD_MS = 30_000;
  /** A clock that goes ahead of the real one, so that the slow poll is due in a moment. */
  const scene = async () => {
    const server = await start();
    const [news, read] = [[] as string[], [] as string[]];
    let ahead = 0;
    const registry = new RedisAccessRegistry({
      now: () => Date.now() + ahead,
      onWake: () => {},
      onNews: (poolKey) => news.push(poolKey),
      onRead: (poolKey) => read.push(poolKey),
    });
    cleanups.push(() => registry.close());
    const put = async (name: string) => {
      const pool = open(server.url, registry, { poolKey: `ns/${name}`, name });
      const { depth } = await pool.read(fresh);
      if (!depth.ok) throw new Error(depth.because);
      pool.watch(depth.value.tip, 'instant');
      return pool;
    };
    /** Until a moment before the group's next look. */
    const almostDue = () => {
      ahead += PERIOD_MS - 2000 - ((Date.now() + ahead) % PERIOD_MS);
    };
    return { server, root: admin(server), news, read, put, almostDue };
  };
  /** A machine that takes longer than the moment sees the next look. */
  const LONG_MS = 120_000;

  it(
    'are compared with their last reading by one script, and only those of which there is news are looked at',
    async () => {
      const { root, news, read, put, almostDue } = await scene();
      await root.zadd('bull:limited:failed', 1, 'x');
      await root.hset('bull:limited:meta', 'max', '1', 'duration', '60000');
      await root.set('bull:limited:limiter', '5', 'PX', 60_000);
      const pools = await Promise.all(['same', 'limited', 'changed', 'looked'].map(put));
      // Without an event, as if it had been lost.
      await root.zadd('bull:changed:failed', 1, 'x');
      const scripts = async () => Number(/cmdstat_eval_ro:calls=(\d+)/.exec(await root.info('commandstats'))?.[1]);
      const before = await scripts();
      almostDue();
      for (const pool of pools.slice(0, 3)) pool.compareReadings(true);
      expect(pools.map((pool) => pool.isCompared())).toEqual([true, true, true, false]);
      expect(pools[3]?.slowPollInMs()).toBeLessThanOrEqual(2000);
      await until(() => Promise.resolve(news.length > 0 && read.length > 1), {
        what: 'they were compared',
        limitMs: 90_000,
      });
      expect([...new Set(news)]).toEqual(['ns/changed']);
      expect([...new Set(read)].toSorted()).toEqual(['ns/limited', 'ns/same']);
      expect((await scripts()) - before).toBeLessThanOrEqual(2);
    },
    LONG_MS,
  );

  it(
    'are all news when they cannot be read any more',
    async () => {
      const { server, news, put, almostDue } = await scene();
      const pools = await Promise.all(['a', 'b'].map(put));
      almostDue();
      for (const pool of pools) pool.compareReadings(true);
      await server.stop();
      await until(() => Promise.resolve(news.length > 1), { what: 'both are looked at', limitMs: 90_000 });
      expect([...new Set(news)].toSorted()).toEqual(['ns/a', 'ns/b']);
    },
    LONG_MS,
  );

  it('are not compared while they do not wait for an event, or while what was read last is not known', async () => {
    const { put, server } = await scene();
    const pool = await put('a');
    pool.unwatch();
    pool.compareReadings(true);
    expect(pool.isCompared()).toBe(false);
    const other = await put('b');
    await server.stop();
    await other.read(fresh);
    other.compareReadings(true);
    expect(other.isCompared()).toBe(false);
  });
});
