import { describe, expect, it } from 'vitest';
import { POOL_LABEL } from '../../operator/api/names.ts';
import { until } from '../cluster/until.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import {
  conditionOf,
  isReadyPod,
  poolManifest,
  readDeployment,
  readPods,
  readPool,
  untilPool,
  untilReplicas,
} from '../fixtures/stage/pool.ts';
import { type PoolOfTest, untilReady } from '../fixtures/stage/tenant.ts';

const { stage, tenant } = tenantOfTests('by-hand');

const kubectl = (...args: string[]): Promise<string> => stage.kubectl.run(['-n', tenant.namespace, ...args]);

const eachOnce = (jobs: number) => ({ jobs, completed: jobs, failed: 0, lost: 0, runTwice: 0 });

const untilWorking = ({ ref, jobs }: PoolOfTest) =>
  until(async () => (await jobs.counts()).active > 0, { what: `a job of ${ref.name} runs` });

/** Waits until kubectl describe shows an event of the pool with this text. */
const untilTold = ({ ref }: PoolOfTest, text: string) =>
  until(async () => (await kubectl('describe', 'awp', ref.name)).includes(text), {
    what: `kubectl describe says "${text}"`,
    everyMs: 200,
  });

describe.concurrent('the Deployment of a pool', () => {
  it('is made again when somebody deletes it, and the jobs go on', async () => {
    const pool = await tenant.addPool({ name: 'deleted' });
    const before = await readDeployment(stage, pool.ref);
    const ids = await pool.jobs.add({ jobs: 10, minMs: 2000, maxMs: 3000 });
    await untilWorking(pool);
    await kubectl('delete', 'deployment', 'deleted', '--wait=false');
    await until(
      async () => {
        const now = await readDeployment(stage, pool.ref);
        return now !== undefined && now.metadata.uid !== before?.metadata.uid;
      },
      { what: 'there is another Deployment' },
    );
    await untilTold(pool, 'the Deployment was gone and is made again');
    await pool.jobs.untilDone(ids);
    expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(10));
  });

  it('gets the label of its pool back when somebody takes it, and no other Deployment is made', async () => {
    const pool = await tenant.addPool({ name: 'unlabelled' });
    const before = await readDeployment(stage, pool.ref);
    await kubectl('label', 'deployment', 'unlabelled', `${POOL_LABEL}-`);
    const labels = async () => kubectl('get', 'deployment', 'unlabelled', '-o', 'jsonpath={.metadata.labels}');
    await until(async () => (await labels()).includes(`"${POOL_LABEL}":"unlabelled"`), { what: 'the label is back' });
    expect((await readDeployment(stage, pool.ref))?.metadata.uid).toBe(before?.metadata.uid);
    const ids = await pool.jobs.add({ jobs: 3, minMs: 100, maxMs: 500 });
    await pool.jobs.untilDone(ids);
    expect(await kubectl('describe', 'awp', 'unlabelled')).not.toContain('made again');
  });

  it('gets its template back when somebody edits it, and no worker is restarted for that', async () => {
    const pool = await tenant.addPool({ name: 'edited', minReplicas: 1 });
    const worker = await until(async () => (await readPods(stage, pool.ref)).find(isReadyPod), {
      what: 'the worker is ready',
    });
    const original = await readDeployment(stage, pool.ref);
    for (const edit of [
      ['set', 'env', 'deployment/edited', '--containers=worker', 'JOB_CONCURRENCY=50'],
      ['set', 'image', 'deployment/edited', 'worker=registry.local/another:1'],
    ]) {
      const generation = (await readDeployment(stage, pool.ref))?.metadata.generation ?? 0;
      await kubectl(...edit);
      const corrected = await until(
        async () => {
          const now = await readDeployment(stage, pool.ref);
          return now !== undefined && now.metadata.generation >= generation + 2 && now;
        },
        { what: 'the edit is corrected' },
      );
      expect(corrected.spec).toEqual(original?.spec);
    }
    await untilPool(stage, pool.ref, {
      what: 'the rollout is over',
      holds: (seen) => conditionOf(seen, 'Ready')?.status === 'True',
    });
    expect((await readPods(stage, pool.ref)).find(isReadyPod)?.metadata.uid).toBe(worker.metadata.uid);
  });

  it('is never touched when it is not of the pool, which says so and recovers when it goes', async () => {
    const name = 'taken';
    const labels = { app: 'somebody-else' };
    const containers = [{ name: 'main', image: stage.images.worker }];
    const template = { metadata: { labels }, spec: { containers } };
    const metadata = { namespace: tenant.namespace, name };
    const spec = { replicas: 0, selector: { matchLabels: labels }, template };
    await stage.kubectl.apply([{ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec }]);
    const foreign = await until(
      async () => {
        const found = await readDeployment(stage, metadata);
        return found?.status?.observedGeneration === 1 && found;
      },
      { what: 'the foreign Deployment is observed' },
    );
    await stage.kubectl.apply([poolManifest({ ...metadata, image: stage.images.worker })]);
    const jobs = await tenant.jobsFor(name);
    const ids = await jobs.add({ jobs: 3, minMs: 200, maxMs: 200 });
    const stalled = await untilPool(stage, metadata, {
      what: 'the pool is stalled',
      holds: (pool) => conditionOf(pool, 'Stalled')?.reason === 'NameTaken' && pool.status?.queue?.waiting === 3,
    });
    expect(conditionOf(stalled, 'Stalled')).toMatchObject({
      status: 'True',
      message: "a Deployment taken exists that is not this pool's: rename the pool, or delete that Deployment",
    });
    expect(conditionOf(stalled, 'Ready')?.status).toBe('False');
    expect(await readDeployment(stage, metadata)).toEqual(foreign);

    await kubectl('delete', 'deployment', name);
    await untilReady(stage, metadata);
    await jobs.untilDone(ids);
    expect(await jobs.outcome(ids)).toMatchObject(eachOnce(3));
  });
});

describe.concurrent('a replica that somebody deletes', () => {
  it('is gone soon even when it was still starting, and another one is there', async () => {
    const pool = await tenant.addPool({ name: 'starting', minReplicas: 1 });
    const told: string[] = [];
    while (told.length < 5) {
      const uid = await until(
        async () => {
          const begun = (await readPods(stage, pool.ref)).find(
            ({ metadata, status }) =>
              metadata.deletionTimestamp === undefined && status.containerStatuses?.[0]?.state?.running !== undefined,
          );
          if (begun === undefined || told.includes(begun.metadata.uid)) return false;
          await kubectl('delete', 'pod', begun.metadata.name, '--wait=false');
          return begun.metadata.uid;
        },
        { what: 'a replica has just begun', everyMs: 20 },
      );
      told.push(uid);
    }
    await until(async () => (await readPods(stage, pool.ref)).every(({ metadata }) => !told.includes(metadata.uid)), {
      what: 'every replica that was told to end has ended',
    });
  });
});

describe.concurrent('replicas that are set by hand', () => {
  it('are corrected at once while jobs run, with an event that names who set them', async () => {
    const pool = await tenant.addPool({ name: 'lowered' });
    const ids = await pool.jobs.add({ jobs: 10, minMs: 10_000, maxMs: 12_000 });
    await untilWorking(pool);
    await kubectl('scale', 'deployment', 'lowered', '--replicas=1');
    await untilTold(pool, 'kubectl set replicas to 1; corrected to 2');
    // Kubernetes keeps no name of who scales to zero.
    await kubectl('scale', 'deployment', 'lowered', '--replicas=0');
    await untilTold(pool, 'somebody set replicas to 0; corrected to');
    await pool.jobs.untilDone(ids);
    expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(10));
    expect(pool.history().slice(0, 5)).toEqual([0, 2, 1, 2, 0]);
  });

  it('are corrected three times, and then left as they are for ten minutes', async () => {
    const pool = await tenant.addPool({ name: 'contested' });
    for (const replicas of [2, 3]) {
      await kubectl('scale', 'deployment', 'contested', `--replicas=${replicas}`);
      await untilReplicas(stage, pool.ref, { replicas: 0 });
    }
    await kubectl('scale', 'deployment', 'contested', '--replicas=2');
    // The third correction is the last; where it takes one replica after the other, the first step is all of it.
    await until(async () => ((await readDeployment(stage, pool.ref))?.spec.replicas ?? 2) < 2, {
      what: 'the third number is corrected',
    });
    await untilTold(pool, 'kubectl set replicas to 3; corrected to ');
    await kubectl('scale', 'deployment', 'contested', '--replicas=1');
    const { status } = await untilPool(stage, pool.ref, {
      what: 'the operator keeps its hands off',
      holds: (seen) =>
        conditionOf(seen, 'ScalingActive')?.reason === 'HandsOff' && seen.status?.replicas?.current === 1,
    });
    expect(status?.decision?.message).toMatch(
      /^kubectl changed replicas 3 times in ten minutes; left as they are until \d{4}-\d\d-\d\dT\S+Z: stop the other writer$/,
    );
    const ids = await pool.jobs.add({ jobs: 12, minMs: 300, maxMs: 300 });
    await pool.jobs.untilDone(ids);
    const history = pool.history();
    // Each was set by hand; on the way down replicas go as they are proven idle, together or one by one.
    const raised = history.filter((replicas, index) => replicas > (history[index - 1] ?? 0));
    expect(raised.slice(0, 3)).toEqual([2, 3, 2]);
    expect(history.at(-1)).toBe(1);
  });
});

describe.concurrent('a pool that is deleted while it works', () => {
  it('takes its Deployment along and loses no job: the running ones end, the next pool runs the rest', async () => {
    const first = await tenant.addPool({ name: 'first', queue: 'handed', maxReplicas: 1 });
    const ids = await first.jobs.add({ jobs: 12, minMs: 2000, maxMs: 3000 });
    await untilWorking(first);
    await kubectl('delete', 'awp', 'first', '--timeout=120s');
    await until(async () => (await readDeployment(stage, first.ref)) === undefined, {
      what: 'the Deployment is gone',
    });
    await until(async () => (await readPods(stage, first.ref)).length === 0, {
      what: 'the workers are gone',
    });
    const { active, waiting, completed } = await first.jobs.counts();
    expect({ active, ended: completed > 0, all: waiting + completed }).toEqual({ active: 0, ended: true, all: 12 });

    const second = await tenant.addPool({ name: 'second', queue: 'handed' });
    await second.jobs.untilDone(ids);
    expect(await second.jobs.outcome(ids)).toMatchObject(eachOnce(12));
  });

  it('leaves its workers to themselves with --cascade=orphan, and they go on', async () => {
    const pool = await tenant.addPool({ name: 'orphaned' });
    const ids = await pool.jobs.add({ jobs: 12, minMs: 1000, maxMs: 2000 });
    await untilWorking(pool);
    const before = await readDeployment(stage, pool.ref);
    await kubectl('delete', 'awp', 'orphaned', '--cascade=orphan', '--timeout=120s');
    expect(await readPool(stage, pool.ref)).toBeUndefined();
    await pool.jobs.untilDone(ids);
    expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(12));
    const after = await readDeployment(stage, pool.ref);
    expect(after?.metadata.uid).toBe(before?.metadata.uid);
    expect(after?.metadata.ownerReferences ?? []).toEqual([]);
    expect(pool.history()).toEqual([0, 3]);
  });
});
