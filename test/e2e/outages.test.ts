import { describe, expect, it } from 'vitest';
import { killComponent, startComponent } from '../cluster/components.ts';
import { until } from '../cluster/until.ts';
import { tenantsOfTests } from '../fixtures/stage/ground.ts';
import { conditionOf, isReadyPod, readPods, readPool, untilPool, untilReplicas } from '../fixtures/stage/pool.ts';
import { embeddedOf, freezeRedis, killRedis } from '../fixtures/stage/sabotage.ts';
import type { PoolOfTest } from '../fixtures/stage/tenant.ts';

const { stage, openTenant: aTenant } = tenantsOfTests();
const embedded = embeddedOf(stage);
/** BullMQ's; a job whose worker has not renewed its lock for so long is taken for lost, and run again. */
const LOCK_LIFE_MS = 30_000;

/** No job may be lost or fail, whatever happens. */
const allDone = (jobs: number) => ({ jobs, completed: jobs, failed: 0, lost: 0 });
const eachOnce = (jobs: number) => ({ ...allDone(jobs), runTwice: 0 });

const untilActive = ({ ref, jobs }: PoolOfTest, active: number) =>
  until(async () => (await jobs.counts()).active >= active, {
    what: `${active} jobs of ${ref.name} run`,
  });

const untilObserved = (pool: PoolOfTest, status: 'True' | 'False') =>
  untilPool(stage, pool.ref, {
    what: `QueueObserved of ${pool.ref.name} is ${status}`,
    holds: (seen) => conditionOf(seen, 'QueueObserved')?.status === status,
  });

describe('an API server that is killed', () => {
  it('stops no job, and scaling goes on by itself when it is back', async (ctx) => {
    if (embedded === undefined) return ctx.skip('the API server of a cluster that is not ours is not to be killed');
    const tenant = await aTenant('api-server');
    const pool = await tenant.addPool({ name: 'served', maxReplicas: 3 });
    const first = await pool.jobs.add({ jobs: 5, minMs: 3000, maxMs: 4000 });
    await untilActive(pool, 5);
    await killComponent(embedded, 'apiserver');
    await expect(readPool(stage, pool.ref)).rejects.toThrow();
    const second = await pool.jobs.add({ jobs: 15, minMs: 3000, maxMs: 4000 });
    await pool.jobs.untilDone(first);
    await startComponent(embedded, 'apiserver');
    await until(() => readPool(stage, pool.ref).then(Boolean, () => false), {
      what: 'the API server answers',
    });
    // One replica may have ended the second ones by then: on a busy machine the API server takes long to start, and then
    // to read who may do what.
    const third = await pool.jobs.add({ jobs: 120, minMs: 3000, maxMs: 4000 });

    await untilReplicas(stage, pool.ref, { replicas: 3 });
    await pool.jobs.untilDone([...second, ...third]);
    expect(await pool.jobs.outcome([...first, ...second, ...third])).toMatchObject(eachOnce(140));
    await untilReplicas(stage, pool.ref, { replicas: 0 });
    expect(pool.history().slice(0, 2)).toEqual([0, 1]);
    expect(Math.max(...pool.history())).toBe(3);
  });
});

describe.concurrent('a Redis', () => {
  it('that is killed twice under load loses no job and no replica, and is read again by itself', async () => {
    const tenant = await aTenant('redis-killed');
    const pool = await tenant.addPool({ name: 'killed', source: 'Redis', maxReplicas: 2 });
    const ids = await pool.jobs.add({ jobs: 20, minMs: 2000, maxMs: 3000 });
    await untilActive(pool, 5);
    const killedAt = Date.now();
    const back = (async () => {
      await killRedis(stage, tenant.redis);
      await killRedis(stage, tenant.redis);
    })();
    const unknown = await untilObserved(pool, 'False');
    expect(conditionOf(unknown, 'QueueObserved')?.reason).toBe('RedisUnreachable');
    expect(unknown.status?.decision).toMatchObject({
      reason: 'QueueUnknown',
      message: expect.stringContaining('2 replicas stay until it can') as string,
    });
    await back;
    await untilObserved(pool, 'True');
    const outageMs = Date.now() - killedAt;
    expect(pool.history()).toEqual([0, 2]);
    await pool.jobs.untilDone(ids);
    const outcome = await pool.jobs.outcome(ids);
    expect(outcome).toMatchObject(allDone(20));
    // A lock is renewed when half of its life is over: one that was away for less takes none along.
    if (outageMs < LOCK_LIFE_MS / 2) expect(outcome.runTwice).toBe(0);
    await untilReplicas(stage, pool.ref, { replicas: 0 });
  });

  it('that is frozen for longer than a lock lives fails no job and no replica, and no pool of another Redis', async () => {
    const [frozen, well] = await Promise.all([aTenant('redis-frozen'), aTenant('redis-well')]);
    const pool = await frozen.addPool({ name: 'frozen', maxReplicas: 2 });
    const neighbour = await well.addPool({ name: 'neighbour' });
    const ids = await pool.jobs.add({ jobs: 16, minMs: 2000, maxMs: 3000 });
    await untilActive(pool, 5);
    let isFrozen = true;
    const thawed = freezeRedis(stage, frozen.redis, LOCK_LIFE_MS + 5000).then(() => {
      isFrozen = false;
    });
    const others = await neighbour.jobs.add({ jobs: 7, minMs: 200, maxMs: 500 });
    await neighbour.jobs.untilDone(others, LOCK_LIFE_MS);
    expect(await neighbour.jobs.outcome(others)).toMatchObject(eachOnce(7));
    expect(neighbour.history()).toEqual([0, 2]);
    const unknown = await untilObserved(pool, 'False');
    expect(unknown.status?.decision?.reason).toBe('QueueUnknown');
    expect(isFrozen).toBe(true);

    await thawed;
    await untilObserved(pool, 'True');
    expect(pool.history()).toEqual([0, 2]);
    await pool.jobs.untilDone(ids);
    const outcome = await pool.jobs.outcome(ids);
    expect(outcome).toMatchObject(allDone(16));
    // Only those that ran in that moment may have run again.
    expect(outcome.runTwice).toBeLessThanOrEqual(10);
    await untilReplicas(stage, pool.ref, { replicas: 0 });
  });
});

describe.concurrent('a replica that is deleted', () => {
  it('finishes the jobs that it runs before it goes, and another one takes its place', async () => {
    const tenant = await aTenant('replica');
    const pool = await tenant.addPool({ name: 'deleted' });
    const ids = await pool.jobs.add({ jobs: 3, minMs: 5000, maxMs: 6000 });
    await untilActive(pool, 3);
    const [pod] = await readPods(stage, pool.ref);
    const { name = '', uid } = pod?.metadata ?? {};
    await stage.kubectl.run(['-n', tenant.namespace, 'delete', 'pod', name, '--wait=false']);
    const other = await until(async () => (await readPods(stage, pool.ref)).find(isReadyPod), {
      what: 'another replica is ready',
    });
    expect(other.metadata.uid).not.toBe(uid);
    await pool.jobs.untilDone(ids);
    expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(3));
    const results = await Promise.all(ids.map((id) => pool.jobs.queue.getJob(id)));
    expect(results.map((job) => job?.returnvalue as unknown)).toEqual(ids.map(() => ({ ok: true, pod: name })));
    await until(async () => (await readPods(stage, pool.ref)).every(({ metadata }) => metadata.uid !== uid), {
      what: 'the deleted replica is gone',
    });
  });
});
