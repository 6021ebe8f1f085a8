import { describe, expect, it } from 'vitest';
import type { AgentWorkerPool } from '../../operator/api/pool.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import { type JobSource, jobSource } from '../fixtures/stage/jobs.ts';
import { conditionOf, poolManifest, type PoolRef, untilPool } from '../fixtures/stage/pool.ts';
import { startRedisInCluster } from '../fixtures/stage/redis.ts';
import { untilReady } from '../fixtures/stage/tenant.ts';

const { stage, tenant } = tenantOfTests('bad-redis');

const secretOf = (name: string, data: Readonly<Record<string, string>>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace: tenant.namespace, name },
  stringData: data,
});

const apply = (...objects: readonly object[]): Promise<string> => stage.kubectl.apply(objects);

async function addPool(name: string, secret: Readonly<{ name: string; key: string }>): Promise<PoolRef> {
  const ref = { namespace: tenant.namespace, name };
  await apply(poolManifest({ ...ref, image: stage.images.worker, secret, maxReplicas: 2 }));
  return ref;
}

const stalledAs = (reason: string) => (pool: AgentWorkerPool) => {
  const stalled = conditionOf(pool, 'Stalled');
  return stalled?.status === 'True' && stalled.reason === reason;
};

const untilStalled = async (ref: PoolRef, reason: string): Promise<string> => {
  const pool = await untilPool(stage, ref, {
    what: `${ref.name} says ${reason}`,
    holds: stalledAs(reason),
  });
  expect(conditionOf(pool, 'Ready')).toMatchObject({ status: 'False', reason });
  expect(conditionOf(pool, 'QueueObserved')?.status).toBe('False');
  return conditionOf(pool, 'Stalled')?.message ?? '';
};

/** Once the cause is gone the pool is Ready by itself, and jobs that waited meanwhile are done. */
async function expectRecovery(ref: PoolRef, source?: JobSource): Promise<void> {
  const jobs = source ?? (await tenant.jobsFor(ref.name));
  const ids = await jobs.add({ jobs: 3, minMs: 100, maxMs: 300 });
  await untilReady(stage, ref);
  await jobs.untilDone(ids);
  expect(await jobs.outcome(ids)).toMatchObject({ jobs: 3, completed: 3, failed: 0, lost: 0, runTwice: 0 });
}

describe.concurrent('a pool whose Redis URL cannot be read', () => {
  it('says which Secret is missing and what belongs in it, and works once it is made', async () => {
    const ref = await addPool('no-secret', { name: 'later', key: 'REDIS_URL' });
    expect(await untilStalled(ref, 'SecretNotFound')).toBe(
      `Secret later is not in namespace ${tenant.namespace}: make it, with the Redis URL under key REDIS_URL`,
    );
    await apply(secretOf('later', { REDIS_URL: tenant.redis.url }));
    await expectRecovery(ref);
  });

  it('says which key the Secret lacks, and works once it is there', async () => {
    await apply(secretOf('keyless', { OTHER: 'x' }));
    const ref = await addPool('no-key', { name: 'keyless', key: 'REDIS_URL' });
    expect(await untilStalled(ref, 'SecretKeyMissing')).toContain(
      'Secret keyless has no key REDIS_URL: put the Redis URL there',
    );
    await apply(secretOf('keyless', { REDIS_URL: tenant.redis.url }));
    await expectRecovery(ref);
  });

  it('says what is wrong with the URL and repeats nothing of its password', async () => {
    await apply(secretOf('malformed', { REDIS_URL: 'http://user:s3cret-word@redis' }));
    const ref = await addPool('bad-url', { name: 'malformed', key: 'REDIS_URL' });
    const message = await untilStalled(ref, 'RedisUrlInvalid');
    expect(message).toContain('redis://[user[:password]@]host[:port]');
    expect(message).not.toContain('s3cret-word');
    await apply(secretOf('malformed', { REDIS_URL: tenant.redis.url }));
    await expectRecovery(ref);
  });

  it('says that the operator may not read it, with the one command that lets it', async () => {
    const namespace = `${tenant.namespace}-closed`;
    await apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
      { ...secretOf('env', { REDIS_URL: tenant.redis.url }), metadata: { namespace, name: 'env' } },
      poolManifest({
        namespace,
        name: 'forbidden',
        image: stage.images.worker,
        secret: { name: 'env', key: 'REDIS_URL' },
      }),
    );
    const ref = { namespace, name: 'forbidden' };
    const message = await untilStalled(ref, 'SecretForbidden');
    const [, command = ''] = /: kubectl (create rolebinding .*)$/.exec(message) ?? [];
    await stage.kubectl.run(command.split(' '));
    await expectRecovery(ref);
    await stage.kubectl.run(['delete', 'awp', 'forbidden', '-n', namespace]);
    await stage.kubectl.run(['delete', 'namespace', namespace, '--timeout=120s']);
  });
});

describe.concurrent('a pool whose Redis does not serve', () => {
  it('is not stalled when nothing listens: it says where, keeps what runs, and works once it does', async () => {
    await apply(secretOf('nowhere', { REDIS_URL: `redis://redis.${tenant.namespace}.svc.cluster.local:6380` }));
    const ref = await addPool('unreachable', { name: 'nowhere', key: 'REDIS_URL' });
    const pool = await untilPool(stage, ref, {
      what: 'the pool says that Redis is unreachable',
      holds: (seen) => conditionOf(seen, 'QueueObserved')?.reason === 'RedisUnreachable',
    });
    expect(conditionOf(pool, 'Stalled')?.status).toBe('False');
    expect(conditionOf(pool, 'ScalingActive')).toMatchObject({ status: 'False', reason: 'QueueUnknown' });
    expect(pool.status?.decision?.message).toMatch(
      /^the queue cannot be read: .*Redis at redis\..*:6380 does not serve/,
    );
    expect(pool.status?.queue?.waiting).toBeUndefined();
    await apply(secretOf('nowhere', { REDIS_URL: tenant.redis.url }));
    await expectRecovery(ref);
  });

  it('says that the password is refused without saying it, and works once the Secret is corrected', async () => {
    const { namespace } = tenant;
    const locked = await startRedisInCluster(stage, { namespace, name: 'locked', password: 'right-word' });
    await apply(secretOf('locked', { REDIS_URL: locked.url.replace('right-word', 'wrong-word') }));
    const ref = await addPool('wrong-password', { name: 'locked', key: 'REDIS_URL' });
    const message = await untilStalled(ref, 'RedisAuthFailed');
    expect(message).toContain(`Redis at locked.${namespace}.svc.cluster.local:6379 refuses the user or password`);
    expect(message).not.toContain('wrong-word');
    await apply(secretOf('locked', { REDIS_URL: locked.url }));
    const jobs = jobSource(await locked.connect(), ref.name);
    await expectRecovery(ref, jobs);
    await jobs.close();
    await locked.stop();
  });

  it('says that a name does not resolve', async () => {
    await apply(secretOf('unknown-host', { REDIS_URL: 'redis://no-such-redis.example.invalid:6379' }));
    const ref = await addPool('unresolvable', { name: 'unknown-host', key: 'REDIS_URL' });
    const pool = await untilPool(stage, ref, {
      what: 'the pool says that the name does not resolve',
      holds: (seen) => conditionOf(seen, 'QueueObserved')?.reason === 'RedisUnreachable',
    });
    expect(conditionOf(pool, 'QueueObserved')?.message).toContain('the name does not resolve');
  });

  it('says that its queue cannot be read when a key of it is of a wrong type', async () => {
    const pool = await tenant.addPool({ name: 'wrong-type' });
    const redis = await tenant.redis.connect();
    await redis.set('bull:wrong-type:wait', 'hello');
    const seen = await untilPool(stage, pool.ref, {
      what: 'the pool says that the queue is unreadable',
      holds: (now) => conditionOf(now, 'QueueObserved')?.reason === 'QueueUnreadable',
    });
    expect(conditionOf(seen, 'QueueObserved')?.message).toContain('queue bull:wrong-type: cannot be read');
    await redis.del('bull:wrong-type:wait');
    await expectRecovery(pool.ref);
  });

  it('counts a queue that was never used as empty, stays Ready, and wakes with the first job ever', async () => {
    const pool = await tenant.addPool({ name: 'never-used' });
    const seen = await untilPool(stage, pool.ref, {
      what: 'the pool says that the queue was not seen yet',
      holds: (now) => conditionOf(now, 'QueueObserved')?.reason === 'NotSeenYet',
    });
    expect(conditionOf(seen, 'Ready')?.status).toBe('True');
    await expectRecovery(pool.ref);
  });
});
