import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Queue } from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { samplePool } from '../../operator/core/state.fixture.ts';
import type { PoolRedis } from '../../operator/observe/queue/pool-redis.ts';
import { RedisAccessRegistry } from '../../operator/observe/queue/redis-access.ts';
import { openWay, reopenWay } from '../../operator/observe/redis-way.ts';
import { Grants } from '../../operator/observe/rights.ts';
import { RedisSecretReader } from '../../operator/observe/redis-secret.ts';
import { QueueDirectory } from '../../operator/observe/rivals.ts';
import { SecretCache } from '../../operator/observe/secret-cache.ts';
import { acquire } from '../cluster/binaries/acquire.ts';
import { redis as redisTool } from '../cluster/binaries/catalog.ts';
import { silent } from '../cluster/progress.ts';
import { until } from '../cluster/until.ts';
import { startRedisCluster } from '../fixtures/redis-cluster.ts';
import { freePort, type RedisServer, startRedis } from '../fixtures/redis.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const start = async (options: Parameters<typeof startRedis>[0] = {}): Promise<RedisServer> => {
  const server = await startRedis(options);
  cleanups.push(() => server.stop());
  return server;
};

const newRegistry = (onWake: (key: string) => void = () => {}) => {
  const registry = new RedisAccessRegistry({ now: Date.now, onWake });
  cleanups.push(() => registry.close());
  return registry;
};

type At = Readonly<{ url: string; prefix?: string; name?: string; poolKey?: string }>;
const open = (
  registry: RedisAccessRegistry,
  { url, prefix = 'bull', name = 'q', poolKey = `ns/${prefix}${name}` }: At,
) => {
  const opened = registry.open(poolKey, { url, queue: { prefix, name }, commandsPerMinute: 1e9 });
  if (!opened.ok) throw new Error(opened.because);
  return opened;
};

const read = async (pool: PoolRedis) => {
  const { depth } = await pool.read({ fresh: true });
  if (!depth.ok) throw new Error(depth.because);
  return depth.value;
};

describe('a Redis Cluster of three nodes', () => {
  it('is read and waked from in every slot, from the node of the URL on, as long as queues have a hash tag', async () => {
    const cluster = await startRedisCluster();
    cleanups.push(() => cluster.stop());
    const [node] = cluster.nodes;
    const url = node?.url ?? '';
    const client = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })));
    client.on('error', () => {});
    cleanups.push(() => client.disconnect());
    const woken = new Set<string>();
    const registry = newRegistry((key) => woken.add(key));
    const places = ['{one}', '{two}', '{three}', '{four}'].flatMap((prefix) =>
      ['a', 'b'].map((name) => ({ prefix, name, url })),
    );
    const pools = places.map((place) => open(registry, place));
    const queues = places.map(({ prefix, name }) => new Queue(name, { connection: client, prefix }));
    cleanups.push(() => Promise.all(queues.map((queue) => queue.close())));
    await Promise.all(queues.map((queue) => queue.add('job', {})));
    const depths = await Promise.all(pools.map(read));
    expect(depths.map(({ waiting }) => waiting)).toEqual(places.map(() => 1));
    pools.forEach((pool, index) => pool.watch(depths[index]?.tip ?? '', 'instant'));
    await Promise.all(queues.map((queue) => queue.add('job', {})));
    await until(() => woken.size === places.length, { what: 'every pool is woken' });
    expect((await Promise.all(pools.map(read))).map(({ waiting }) => waiting)).toEqual(places.map(() => 2));
    for (const pool of pools) expect(pool.lastUse()?.access).toEqual({ ok: true });

    const untagged = [open(registry, { url, name: 'plain' }), open(registry, { url, name: 'other' })];
    for (const reading of await Promise.all(untagged.map((pool) => pool.read({ fresh: true })))) {
      expect(reading.depth).toMatchObject({
        ok: false,
        because: expect.stringContaining('spec.queue.prefix: "{bull}"'),
      });
    }
  });
});

describe('a Sentinel', () => {
  it('is told from a Redis, with what to write in its place', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'awp-sentinel-'));
    cleanups.push(() => rm(dir, { recursive: true, force: true }));
    const port = await freePort('127.0.0.1');
    const config = join(dir, 'sentinel.conf');
    await writeFile(config, `port ${port}\nbind 127.0.0.1\ndir ${dir}\n`);
    const program = (await acquire(redisTool, silent)).get('redis-server') ?? 'redis-server';
    const child = spawn(program, [config, '--sentinel'], { stdio: 'ignore' });
    cleanups.push(async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
    const pool = open(newRegistry(), { url: `redis://127.0.0.1:${port}` });
    await until(
      async () => {
        const { access } = await pool.read({ fresh: true });
        return !access.ok && access.because.includes('as a Sentinel does not: give the URL of the Redis itself');
      },
      { what: 'it is told from a Redis' },
    );
    expect(pool.lastUse()?.access).toMatchObject({ trouble: 'RedisUrlInvalid' });
  });
});

/** The commands of the documentation, in their order. */
const documentedRights = async (): Promise<readonly string[]> => {
  const text = await readFile(resolve(import.meta.dirname, '../../docs/redis.md'), 'utf8');
  return [...text.matchAll(/^ACL SETUSER agent-worker-pool (.*)$/gm)].map(([, rights = '']) => rights);
};

describe('a user with the rights that the documentation names', () => {
  /** Reads, asks who runs its jobs and whether Redis serves, falls asleep and is woken, in another database than 0. */
  const works = async (server: RedisServer, root: Redis): Promise<boolean> => {
    const woken: string[] = [];
    const registry = newRegistry((key) => woken.push(key));
    const pool = open(registry, { url: `redis://agent-worker-pool:PASSWORD@${server.host}:${server.port}/3` });
    const { depth } = await pool.read({ fresh: true });
    if (!depth.ok || depth.value.waiting !== 2) return false;
    const active = await pool.activeJobs();
    if (!active.ok || active.value.byName['pod-a']?.jobs !== 1) return false;
    // Older than nothing: Redis is asked, although it was a moment ago.
    if (!(await pool.check(-1)).access.ok) return false;
    pool.watch(depth.value.tip, 'instant');
    await root.xadd('bull:q:events', '*', 'event', 'added');
    const limit = performance.now() + 3_000;
    while (woken.length === 0 && performance.now() < limit) await new Promise((done) => setTimeout(done, 20));
    return woken.length > 0;
  };

  const scene = async () => {
    const server = await start();
    const root = new Redis(`${server.url}/3`);
    cleanups.push(() => root.disconnect());
    await root.rpush('bull:q:wait', '1', '2');
    await root.hset('bull:q:1', 'timestamp', Date.now());
    await root.rpush('bull:q:active', '5');
    await root.hset('bull:q:5', 'timestamp', Date.now(), 'processedOn', Date.now(), 'pb', 'pod-a');
    await root.zadd('bull:q:prioritized', 4_294_967_297, '3');
    await root.zadd('bull:q:delayed', 4096, '4');
    await root.hset('bull:q:meta', 'max', 5, 'duration', 1_000);
    await root.set('bull:q:limiter', 7, 'PX', 60_000);
    return { server, root };
  };

  it('works, and none of the needed ones can be taken away', async () => {
    const { server, root } = await scene();
    const [needed = '', more = ''] = await documentedRights();
    const set = (rights: string) => root.call('ACL', 'SETUSER', 'agent-worker-pool', ...rights.split(' '));
    await set(needed);
    expect(await works(server, root)).toBe(true);
    await set(more);
    expect(await works(server, root)).toBe(true);
    const commands = needed.split(' ').filter((right) => right.startsWith('+'));
    expect(commands.length).toBeGreaterThan(10);
    for (const command of commands) {
      await root.call('ACL', 'SETUSER', 'agent-worker-pool', 'reset', ...needed.split(' '), command.replace('+', '-'));
      expect([command, await works(server, root)]).toEqual([command, false]);
    }
  });
});

describe('a pool whose queue the user may not read', () => {
  it('is told so, and takes no other pool of the same URL along', async () => {
    const server = await start();
    const root = new Redis(server.url);
    cleanups.push(() => root.disconnect());
    const [needed = ''] = await documentedRights();
    await root.call('ACL', 'SETUSER', 'agent-worker-pool', ...needed.split(' '));
    const registry = newRegistry();
    const url = `redis://agent-worker-pool:PASSWORD@${server.host}:${server.port}`;
    const names = ['a', 'b', 'c', 'd', 'e'];
    await Promise.all(names.map((name) => root.rpush(`bull:${name}:wait`, '1')));
    const good = names.map((name) => open(registry, { url, name }));
    const bad = open(registry, { url, name: 'q', prefix: 'foreign' });
    for (let turn = 0; turn < 2; turn += 1) {
      const [refused, ...readings] = await Promise.all([bad, ...good].map((pool) => pool.read({ fresh: true })));
      expect(refused?.depth).toMatchObject({ ok: false, because: expect.stringContaining('no permissions to access') });
      expect(refused?.access).toMatchObject({ ok: false, trouble: 'RedisAuthFailed' });
      expect(bad.lastUse()?.access).toEqual({ ok: true });
      for (const { depth, access } of readings) {
        expect(depth).toMatchObject({ ok: true, value: { waiting: 1 } });
        expect(access).toEqual({ ok: true });
      }
    }
  });
});

describe('a rotated Redis Secret', () => {
  const pool = samplePool();
  const key = 'agents/agent-jobs';

  it('reaches the operator in the very pass in which Redis refuses the old URL', async () => {
    const server = await start({ password: 'old' });
    const root = new Redis(server.url);
    cleanups.push(() => root.disconnect());
    let url = server.url;
    let now = Date.now();
    const get = async <T>() =>
      ({ metadata: { uid: 'u', resourceVersion: '1' }, data: { REDIS_URL: Buffer.from(url).toString('base64') } }) as T;
    const parts = {
      pools: { store: { get: () => undefined, byIndex: () => [] } },
      secrets: new RedisSecretReader(
        new SecretCache({ client: { get }, now: () => now }),
        new Grants({ secretsRole: 'secrets', account: 'here:operator', watchNamespaces: [] }),
      ),
      redis: newRegistry(),
      queues: new QueueDirectory(),
    };
    const way = await openWay(parts, key, pool);
    if (!way.opened.ok) throw new Error(way.opened.because);
    expect((await way.opened.read({ fresh: true })).access.ok).toBe(true);
    await root.config('SET', 'requirepass', 'new');
    url = server.url.replace('old', 'new');
    await root.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    now += 60_000;
    // What breaks off first is the connection; the next try is refused.
    const { access } = await until(
      async () => {
        if (!way.opened.ok) return undefined;
        const reading = await way.opened.read({ fresh: true });
        return !reading.access.ok && reading.access.trouble === 'RedisAuthFailed' ? reading : undefined;
      },
      { what: 'Redis refuses the old password' },
    );
    if (access.ok) throw new Error('it works');
    const again = await reopenWay(parts, way, { key, pool, redis: access });
    if (again?.opened.ok !== true) throw new Error('the new URL was not read');
    expect(await again.opened.read({ fresh: true })).toMatchObject({ depth: { ok: true }, access: { ok: true } });
  });
});

describe('two names of one Redis', () => {
  it('are one server, and two servers are not', async () => {
    const [one, other] = [await start(), await start()];
    const registry = newRegistry();
    const urls = [one.url, one.url.replace('127.0.0.1', 'localhost'), other.url];
    urls.forEach((url, index) => open(registry, { url, poolKey: `ns/${index}` }));
    const [first, second, third] = await Promise.all(urls.map((_, index) => registry.identify(`ns/${index}`)));
    expect(first).toMatch(/^[0-9a-f]{40}$/);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    expect(await registry.identify('ns/none')).toBeUndefined();
  });
});
