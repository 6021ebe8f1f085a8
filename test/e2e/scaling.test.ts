import { describe, expect, it } from 'vitest';
import { until } from '../cluster/until.ts';
import { kubectlAwp } from '../fixtures/stage/kubectl-awp.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import {
  conditionOf,
  poolManifest,
  readDeployment,
  readPool,
  untilPool,
  untilReplicas,
} from '../fixtures/stage/pool.ts';

const { stage, tenant } = tenantOfTests('scaling');

const kubectl = (...args: string[]): Promise<string> => stage.kubectl.run(['-n', tenant.namespace, ...args]);

const setScaling = (pool: string, scaling: object): Promise<string> =>
  kubectl('patch', 'awp', pool, '--type=merge', '-p', JSON.stringify({ spec: { scaling } }));

/** What an untroubled run comes to: every job once. */
const eachOnce = (jobs: number) => ({ jobs, completed: jobs, failed: 0, lost: 0, runTwice: 0 });

const isFalling = (numbers: readonly number[]): boolean =>
  numbers.every((number, index) => index === 0 || number < (numbers[index - 1] ?? 0));

describe.concurrent('a pool at zero', () => {
  it.each([
    { source: 'Workers' as const, jobs: 14, replicas: 3 },
    { source: 'Redis' as const, jobs: 8, replicas: 2 },
  ])(
    'goes to the number of the rule in one step, runs each job once and returns, with metrics from $source',
    async ({ source, jobs, replicas }) => {
      const name = `burst-${source.toLowerCase()}`;
      const pool = await tenant.addPool({ name, source });
      expect(pool.history()).toEqual([0]);

      const ids = await pool.jobs.add({ jobs, minMs: 200, maxMs: 2000 });
      await untilReplicas(stage, pool.ref, { replicas });
      await pool.jobs.untilDone(ids);
      expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(jobs));

      await until(() => pool.history().length > 1 && pool.history().at(-1) === 0, {
        what: 'the pool is at zero again',
      });
      const [first, ...way] = pool.history();
      expect([first, way[0], way.at(-1)]).toEqual([0, replicas, 0]);
      expect(way).toSatisfy(isFalling);
    },
  );

  it('says why in its status, in the columns of kubectl get and once as an event, and stays Ready', async () => {
    const pool = await tenant.addPool({ name: 'explained' });
    const readySince = async () => conditionOf(await readPool(stage, pool.ref), 'Ready');
    const before = await readySince();
    const ids = await pool.jobs.add({ jobs: 6, minMs: 2000, maxMs: 3000 });
    const because = '0 active + 6 waiting = 6 slots; 5 a replica → 2';
    const { status } = await untilPool(stage, pool.ref, {
      what: 'two replicas are wanted',
      holds: (seen) => seen.status?.replicas?.wanted === 2,
    });
    expect(status).toMatchObject({
      replicas: { current: 2, ready: 0, wanted: 2, draining: 0 },
      queue: { waiting: 6, active: 0, paused: false, seen: true, source: 'Redis' },
      decision: { reason: 'SizedToQueue', message: because },
    });
    const [titles = '', values = ''] = (await kubectl('get', 'awp', 'explained')).trim().split('\n');
    const columns = ['NAME', 'READY', 'REPLICAS', 'WANTED', 'WAITING', 'ACTIVE', 'REASON', 'AGE'];
    expect(titles.split(/\s+/)).toEqual(columns);
    expect(values.split(/\s+/).slice(0, -1)).toEqual(['explained', 'True', '2', '2', '6', '0', 'SizedToQueue']);
    expect(await kubectl('get', 'awp', 'explained', '-o', 'wide')).toContain(because);
    const explained = await kubectlAwp(stage, ['explain', 'pool/explained', '-n', tenant.namespace]);
    // Jobs may have started, or ended, by now: what it says is what the status says at that moment.
    expect(explained).toMatch(/^\S+\/explained: \w+, since .*\n {2}\S.*\n {2}\d wanted, \d there, \d ready/);
    expect(explained).toMatch(/\n {2}slots a replica +5 .*\n {2}wait target +5s .*\n {2}replicas allowed +0 to 4 /);

    await pool.jobs.untilDone(ids);
    await untilReplicas(stage, pool.ref, { replicas: 0 });
    expect(await readySince()).toEqual(before);
    const described = await until(
      async () => {
        const lines = (await kubectl('describe', 'awp', 'explained')).split('\n');
        return lines.some((line) => line.includes('→ 0')) && lines;
      },
      { what: 'kubectl describe shows the last event' },
    );
    const scaledUp = described.filter((line) => line.includes('Scaled 0 → 2'));
    expect(scaledUp).toEqual([expect.stringContaining(because)]);
  });

  it('is woken for a delayed job when it is due, and not before', async () => {
    const pool = await tenant.addPool({ name: 'delayed' });
    const delay = 15_000;
    const due = Date.now() + delay;
    const job = await pool.jobs.queue.add('test-job', { durationMs: 200 }, { delay });
    await untilPool(stage, pool.ref, {
      what: 'the status counts the delayed job',
      limitMs: 14_000,
      holds: ({ status }) => status?.queue?.delayed === 1 && status.decision?.reason === 'QueueEmpty',
    });
    await pool.jobs.untilDone([job.id ?? '']);
    const started = tenant.history.of('delayed').find(({ replicas }) => replicas > 0)?.at ?? 0;
    expect(started).toBeGreaterThanOrEqual(due);
    // it promises one second
    expect(started).toBeLessThan(due + 3000);
    expect(await pool.jobs.outcome([job.id ?? ''])).toMatchObject(eachOnce(1));
  });

  it('starts nothing for a paused queue, and wakes when it is resumed', async () => {
    const pool = await tenant.addPool({ name: 'paused' });
    await pool.jobs.queue.pause();
    const ids = await pool.jobs.add({ jobs: 6, minMs: 200, maxMs: 200 });
    const { status } = await untilPool(stage, pool.ref, {
      what: 'the operator has seen the jobs in the paused queue',
      holds: (seen) => seen.status?.decision?.message.includes('6 more wait') === true,
    });
    expect(status).toMatchObject({
      replicas: { wanted: 0 },
      queue: { waiting: 0, paused: true },
      decision: { reason: 'QueuePaused' },
    });
    expect(pool.history()).toEqual([0]);
    await pool.jobs.queue.resume();
    await untilReplicas(stage, pool.ref, { replicas: 2 });
    await pool.jobs.untilDone(ids);
    expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(6));
  });
});

describe.concurrent('the bounds of a pool', () => {
  it('keep minReplicas before, during and after the work', async () => {
    const pool = await tenant.addPool({ name: 'floor', minReplicas: 1 });
    const ids = await pool.jobs.add({ jobs: 8, minMs: 1000, maxMs: 2000 });
    await pool.jobs.untilDone(ids);
    expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(8));
    const { status } = await untilPool(stage, pool.ref, {
      what: 'the pool is back at its floor',
      holds: (seen) => seen.status?.decision?.reason === 'RaisedToMinimum',
    });
    expect(status?.decision?.message).toBe('nothing waits and nothing runs; raised to 1 by minReplicas');
    expect(pool.history()).toEqual([1, 2, 1]);
  });

  it('may be raised and lowered under load: up at once, down when a replica has ended its jobs', async () => {
    const pool = await tenant.addPool({ name: 'bounded', maxReplicas: 1 });
    // More than three replicas take at once: enough are left when the third has started, however long that takes.
    const ids = await pool.jobs.add({ jobs: 40, minMs: 5000, maxMs: 6000 });
    await untilPool(stage, pool.ref, {
      what: 'the pool is held to its maximum',
      holds: ({ status }) => status?.decision?.reason === 'HeldToMaximum' && status.replicas?.wanted === 1,
    });
    await setScaling('bounded', { maxReplicas: 3 });
    await untilReplicas(stage, pool.ref, { replicas: 3 });
    await until(async () => (await pool.jobs.counts()).active > 10, { what: 'three replicas work' });
    await setScaling('bounded', { maxReplicas: 2 });
    const { status } = await untilPool(stage, pool.ref, {
      what: 'the lower maximum waits for a replica to end its jobs',
      holds: (seen) => seen.status?.decision?.reason === 'Draining' && seen.status.replicas?.draining === 1,
    });
    expect(status?.replicas).toMatchObject({ current: 3, wanted: 2 });
    expect(status?.decision?.message).toMatch(/1 replica on the way out \(.*\), so 3 stay instead of 2$/);
    await pool.jobs.untilDone(ids);
    expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(40));
    await until(() => pool.history().at(-1) === 0, { what: 'the pool is at zero again' });
    const history = pool.history();
    expect(history.slice(0, 4)).toEqual([0, 1, 3, 2]);
    expect(history.slice(2)).toSatisfy(isFalling);
  });

  it('are applied when kubectl wait says Ready, for a new pool as for a changed one', async () => {
    const ref = { namespace: tenant.namespace, name: 'waited' };
    const { worker: image } = stage.images;
    await stage.kubectl.apply([poolManifest({ ...ref, image, minReplicas: 1 })]);
    await kubectl('wait', '--for=condition=Ready', 'awp/waited', '--timeout=120s');
    expect((await readDeployment(stage, ref))?.spec.replicas).toBe(1);

    const container = { env: [{ name: 'NEW', value: 'yes' }] };
    await stage.kubectl.apply([poolManifest({ ...ref, image, minReplicas: 2, container })]);
    await kubectl('wait', '--for=condition=Ready', 'awp/waited', '--timeout=120s');
    const changed = await readDeployment(stage, ref);
    expect(changed?.spec.replicas).toBe(2);
    expect(JSON.stringify(changed?.spec.template)).toContain('"NEW"');
    // Ready is said of a rollout that is over: no replica of the old template is left.
    expect(changed?.status).toMatchObject({ replicas: 2, updatedReplicas: 2 });
  });
});
