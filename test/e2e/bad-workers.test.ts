import { describe, expect, it } from 'vitest';
import { until } from '../cluster/until.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import { conditionOf, poolManifest, type PoolRef, readPods, untilPool } from '../fixtures/stage/pool.ts';
import { type PoolOfTest, untilReady } from '../fixtures/stage/tenant.ts';

const { stage, tenant } = tenantOfTests('bad-workers');
const { worker: image } = stage.images;

const kubectl = (...args: string[]): Promise<string> => stage.kubectl.run(['-n', tenant.namespace, ...args]);

const untilStalled = async (ref: PoolRef, reason: string): Promise<string> => {
  const pool = await untilPool(stage, ref, {
    what: `${ref.name} says ${reason}`,
    holds: (seen) => conditionOf(seen, 'Stalled')?.status === 'True' && conditionOf(seen, 'Stalled')?.reason === reason,
  });
  expect(conditionOf(pool, 'Ready')).toMatchObject({ status: 'False', reason });
  return conditionOf(pool, 'Stalled')?.message ?? '';
};

const eachOnce = (jobs: number) => ({ jobs, completed: jobs, failed: 0, lost: 0, runTwice: 0 });

const doJobs = async ({ jobs }: PoolOfTest, count: number): Promise<void> => {
  const ids = await jobs.add({ jobs: count, minMs: 100, maxMs: 300 });
  await jobs.untilDone(ids);
  expect(await jobs.outcome(ids)).toMatchObject(eachOnce(count));
};

const missing = { image: 'registry.local/not-there:1' };
const crashing = { image, container: { command: ['/usr/bin/node', '-e', 'process.exit(3)'] } };

describe.concurrent('a worker that cannot start', () => {
  it.each([
    { name: 'no-image', broken: missing, words: /ErrImagePull|ImagePullBackOff/ },
    { name: 'no-name', broken: { image: 'NOT AN IMAGE' }, words: /InvalidImageName/ },
    { name: 'no-secret', broken: { image, container: envFrom('not-there') }, words: /CreateContainerConfigError/ },
    { name: 'crash', broken: crashing, words: /CrashLoopBackOff/ },
  ])('is said in the words of the kubelet, and its jobs wait for the corrected template: $name', async (wrong) => {
    const { name, broken, words } = wrong;
    const pool = await tenant.addPool({ name, ...broken });
    const ids = await pool.jobs.add({ jobs: 3, minMs: 100, maxMs: 100 });
    const message = await untilStalled(pool.ref, 'ReplicasCannotStart');
    expect(message).toMatch(words);
    expect(message).toContain('Correct spec.workers.template');
    expect(await pool.jobs.counts()).toMatchObject({ waiting: 3, failed: 0 });
    await stage.kubectl.apply([poolManifest({ ...pool.ref, image })]);
    await pool.jobs.untilDone(ids);
    expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(3));
    await untilReady(stage, pool.ref);
  });
});

function envFrom(secret: string): object {
  return { env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: secret, key: 'KEY' } } }] };
}

const untilOneRuns = ({ ref }: PoolOfTest): Promise<string> =>
  until(
    async () => {
      const pods = await readPods(stage, ref);
      return pods.length === 1 && pods[0]?.status.containerStatuses?.[0]?.ready === true && pods[0].metadata.uid;
    },
    { what: `one worker of ${ref.name} runs` },
  );

describe.concurrent('a rollout of workers', () => {
  it.each([
    { name: 'rollout-no-image', broken: missing },
    { name: 'rollout-crash', broken: crashing },
  ])('that cannot start leaves the old one at work, says so, and ends with the corrected: $name', async (wrong) => {
    const { name, broken } = wrong;
    const pool = await tenant.addPool({ name, minReplicas: 1 });
    const old = await untilOneRuns(pool);
    // Ten minutes by default: the operator leaves this field to whoever sets it.
    await kubectl('patch', 'deployment', name, '--type=merge', '-p', '{"spec":{"progressDeadlineSeconds":3}}');
    await stage.kubectl.apply([poolManifest({ ...pool.ref, minReplicas: 1, ...broken })]);
    await untilPool(stage, pool.ref, {
      what: 'the rollout is under way',
      holds: (seen) => conditionOf(seen, 'Ready')?.status === 'False',
    });
    await doJobs(pool, 3);
    const message = await untilStalled(pool.ref, 'RolloutStuck');
    expect(message).toMatch(/^the rollout cannot finish: .* has timed out progressing/);
    expect(message).toContain('Correct spec.workers.template; old replicas stay');
    await doJobs(pool, 3);
    expect((await readPods(stage, pool.ref)).map(({ metadata }) => metadata.uid)).toContain(old);
    await stage.kubectl.apply([poolManifest({ ...pool.ref, image, minReplicas: 1 })]);
    await untilReady(stage, pool.ref);
    await doJobs(pool, 3);
  });
});

describe('a namespace that has no room', () => {
  it('is said with what it lacks, what runs goes on, and it is well again when there is room', async () => {
    const pool = await tenant.addPool({ name: 'no-room', minReplicas: 1 });
    await untilOneRuns(pool);
    const pods = JSON.parse(await kubectl('get', 'pods', '-o', 'json')) as { items: object[] };
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { namespace: tenant.namespace, name: 'full' } };
    await stage.kubectl.apply([{ ...quota, spec: { hard: { pods: String(pods.items.length) } } }]);
    await until(async () => (await kubectl('get', 'quota', 'full', '-o', 'jsonpath={.status.used.pods}')) !== '', {
      what: 'the quota is in force',
    });
    const ids = await pool.jobs.add({ jobs: 20, minMs: 500, maxMs: 500 });
    expect(await untilStalled(pool.ref, 'ReplicasRefused')).toMatch(/exceeded quota: full.*Make room for them/);
    await pool.jobs.untilDone(ids);
    expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(20));
    await kubectl('delete', 'quota', 'full');
    await untilReady(stage, pool.ref);
  });
});
