import { describe, expect, it } from 'vitest';
import { until } from '../cluster/until.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import { onOperator } from '../fixtures/stage/install.ts';
import { conditionOf, poolManifest, type PoolRef, readPool, untilPool } from '../fixtures/stage/pool.ts';

const { stage, tenant } = tenantOfTests('hostile');

const eachOnce = (jobs: number) => ({ jobs, completed: jobs, failed: 0, lost: 0, runTwice: 0 });
const secretOf = (name: string, value: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace: tenant.namespace, name },
  stringData: { REDIS_URL: value },
});

describe.concurrent('a pool with values at their limits', () => {
  // What a shell, the kubelet, a URL, JSON, Lua and the Prometheus text each take for something of their own.
  const odd = `$(POD_NAME) $$ \`x\` "q" \\n \\ {a="b"} %00 %s ../ é 漢 🎉 '; --`;

  it.each([
    { what: 'a name of 52 characters', name: 'a'.repeat(52), queue: 'short', prefix: 'bull' },
    {
      what: 'a queue and a prefix of 253 characters',
      name: 'long-queue',
      queue: 'q'.repeat(253),
      prefix: 'p'.repeat(253),
    },
    { what: 'a queue of odd characters', name: 'odd-queue', queue: odd, prefix: `{${odd}}:${odd}` },
  ])('runs each job once with $what, and goes back to zero', async ({ name, queue, prefix }) => {
    const pool = await tenant.addPool({ name, queue, prefix, maxReplicas: 2 });
    const ids = await pool.jobs.add({ jobs: 8, minMs: 200, maxMs: 600 });
    await pool.jobs.untilDone(ids);
    expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(8));
    const { status } = await untilPool(stage, pool.ref, {
      what: 'the pool is at zero again, and reads its queue',
      holds: (seen) => seen.status?.replicas?.current === 0 && seen.status.queue?.active === 0,
    });
    expect(status?.queue).toMatchObject({ waiting: 0, failed: 0 });
    expect(Math.max(...pool.history())).toBe(2);
  });
});

describe.concurrent('pools that cannot work', () => {
  const refOf = (name: string): PoolRef => ({ namespace: tenant.namespace, name });
  const wrong = [
    { name: 'huge-secret', secret: 'huge', value: `redis://${'x'.repeat(1_000_000)}`, reason: 'RedisUrlInvalid' },
    { name: 'binary-secret', secret: 'binary', value: 'redis://\u0001\u0002\uFFFD', reason: 'RedisUrlInvalid' },
    { name: 'metadata-secret', secret: 'metadata', value: 'redis://169.254.169.254:80', reason: 'RedisUrlInvalid' },
    { name: 'http-secret', secret: 'http', value: 'http://user:hunter2@redis', reason: 'RedisUrlInvalid' },
    { name: 'absent-secret', secret: 'absent', value: undefined, reason: 'SecretNotFound' },
  ];

  it('each say why and repeat nothing of their Secret, while the good one beside them does its jobs', async () => {
    const secrets = wrong.flatMap(({ secret, value }) => (value === undefined ? [] : [secretOf(secret, value)]));
    await stage.kubectl.apply(secrets);
    const image = stage.images.worker;
    await stage.kubectl.apply(
      wrong.map(({ name, secret }) =>
        poolManifest({ ...refOf(name), image, secret: { name: secret, key: 'REDIS_URL' } }),
      ),
    );
    const good = await tenant.addPool({ name: 'good-beside' });
    const ids = await good.jobs.add({ jobs: 10, minMs: 100, maxMs: 300 });
    const said = await Promise.all(
      wrong.map(async ({ name, reason }) => {
        const pool = await untilPool(stage, refOf(name), {
          what: `${name} is Stalled`,
          holds: (seen) => conditionOf(seen, 'Stalled')?.reason === reason,
        });
        return conditionOf(pool, 'Stalled')?.message ?? '';
      }),
    );
    await good.jobs.untilDone(ids);
    expect(await good.jobs.outcome(ids)).toMatchObject(eachOnce(10));
    for (const message of said) {
      expect(message.length).toBeLessThan(400);
      expect(message).not.toMatch(/hunter2|xxxx/);
    }
    const log = await onOperator(stage, ['logs', 'deployment/agent-worker-pool', '--tail=-1']);
    expect(log).not.toMatch(/hunter2|xxxxxxxx/);
  });

  it('are gone as soon as they are deleted, whatever their Redis', async () => {
    const ref = refOf('deleted-wrong');
    await stage.kubectl.apply([
      secretOf('gone', 'redis://nobody.invalid:1'),
      poolManifest({ ...ref, image: stage.images.worker, secret: { name: 'gone', key: 'REDIS_URL' } }),
    ]);
    await untilPool(stage, ref, {
      what: 'it has a status',
      holds: (pool) => pool.status !== undefined,
    });
    await stage.kubectl.run(['delete', 'awp', ref.name, '-n', ref.namespace, '--timeout=120s']);
    await until(async () => (await readPool(stage, ref)) === undefined, { what: 'the pool is gone' });
  });
});
