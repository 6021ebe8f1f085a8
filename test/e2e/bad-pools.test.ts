import { describe, expect, it } from 'vitest';
import { until } from '../cluster/until.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import { onOperator } from '../fixtures/stage/install.ts';
import {
  conditionOf,
  poolManifest,
  type PoolRef,
  readDeployment,
  readPods,
  untilPool,
  untilReplicas,
} from '../fixtures/stage/pool.ts';
import { untilReady } from '../fixtures/stage/tenant.ts';

const { stage, tenant } = tenantOfTests('bad-pools');

const { worker: image } = stage.images;
const refOf = (name: string): PoolRef => ({ namespace: tenant.namespace, name });

const untilStalled = async (ref: PoolRef, reason: string): Promise<string> => {
  const pool = await untilPool(stage, ref, {
    what: `${ref.name} says ${reason}`,
    holds: (seen) => conditionOf(seen, 'Stalled')?.status === 'True' && conditionOf(seen, 'Stalled')?.reason === reason,
  });
  expect(conditionOf(pool, 'Ready')).toMatchObject({ status: 'False', reason });
  return conditionOf(pool, 'Stalled')?.message ?? '';
};

const eachOnce = (jobs: number) => ({ jobs, completed: jobs, failed: 0, lost: 0, runTwice: 0 });

/** An admission webhook that nobody answers, for the Deployments of one pool. */
const deadWebhook = (ref: PoolRef) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: `${ref.namespace}-dead` },
  webhooks: [
    {
      name: 'dead.agentpool.test',
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Fail',
      timeoutSeconds: 1,
      objectSelector: { matchLabels: { 'agentpool.dev/pool': ref.name } },
      rules: [
        { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments'] },
      ],
      clientConfig: { service: { namespace: ref.namespace, name: 'nobody' } },
    },
  ],
});

describe.concurrent('an admission webhook that does not answer', () => {
  it('is named in the status while the pool is tried again, and the pool works once it is gone', async () => {
    const ref = refOf('webhook');
    await stage.kubectl.apply([deadWebhook(ref), poolManifest({ ...ref, image, maxReplicas: 2 })]);
    const pool = await untilPool(stage, ref, {
      what: 'the pool says that it cannot be applied',
      holds: (seen) => conditionOf(seen, 'Ready')?.reason === 'ApplyFailing',
    });
    expect(conditionOf(pool, 'Ready')?.message).toContain('failed calling webhook "dead.agentpool.test"');
    expect(conditionOf(pool, 'ScalingActive')).toMatchObject({ status: 'False', reason: 'ApplyFailing' });
    await untilStalled(ref, 'ApplyFailing');
    const { name } = deadWebhook(ref).metadata;
    await stage.kubectl.run(['delete', 'validatingwebhookconfiguration', name]);
    // the longest backoff, and time to start
    await untilReady(stage, ref);
    const jobs = await tenant.jobsFor(ref.name);
    const ids = await jobs.add({ jobs: 2, minMs: 100, maxMs: 100 });
    await jobs.untilDone(ids);
  });
});

describe.concurrent('a template that the API server refuses', () => {
  const doublePort = { ports: [{ name: 'http', containerPort: 9000 }] };

  it('is said in its words, tried once, and cleared by a corrected one', async () => {
    const ref = refOf('refused');
    await stage.kubectl.apply([poolManifest({ ...ref, image, container: doublePort })]);
    const message = await untilStalled(ref, 'TemplateRefused');
    expect(message).toContain('Duplicate value: "http"');
    expect(message).toContain('Correct spec.workers.template');
    expect(await readDeployment(stage, ref)).toBeUndefined();
    await stage.kubectl.apply([
      poolManifest({ ...ref, image, container: { ports: [{ name: 'extra', containerPort: 9000 }] } }),
    ]);
    await untilReady(stage, ref);
    const jobs = await tenant.jobsFor(ref.name);
    const ids = await jobs.add({ jobs: 2, minMs: 100, maxMs: 100 });
    await jobs.untilDone(ids);
  });

  it('leaves the workers of the template before as they are', async () => {
    const pool = await tenant.addPool({ name: 'refused-later', minReplicas: 1 });
    const before = await until(
      async () => {
        const pods = await readPods(stage, pool.ref);
        return pods.length === 1 && pods[0]?.status.containerStatuses?.[0]?.ready === true && pods;
      },
      { what: 'one worker runs' },
    );
    await stage.kubectl.apply([poolManifest({ ...pool.ref, image, minReplicas: 1, container: doublePort })]);
    await untilStalled(pool.ref, 'TemplateRefused');
    const ids = await pool.jobs.add({ jobs: 3, minMs: 100, maxMs: 100 });
    await pool.jobs.untilDone(ids);
    expect((await readPods(stage, pool.ref)).map(({ metadata }) => metadata.uid)).toEqual(
      before.map(({ metadata }) => metadata.uid),
    );
  });
});

describe.concurrent('two pools on one queue', () => {
  it('leave it to the older one, and the younger takes over when that is deleted', async () => {
    const older = await tenant.addPool({ name: 'older', queue: 'shared' });
    // The API server keeps the time of making in whole seconds.
    await until(async () => Date.now() % 1000 < 100, { what: 'the next second', limitMs: 2000, everyMs: 20 });
    const younger = refOf('younger');
    // Another Secret that spells the same Redis in another way.
    const namespace = tenant.namespace;
    const spelled = `${tenant.redis.url}/0`;
    await stage.kubectl.apply([
      { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name: 'spelled' }, stringData: { url: spelled } },
      poolManifest({ ...younger, image, queue: 'shared', secret: { name: 'spelled', key: 'url' } }),
    ]);
    expect(await untilStalled(younger, 'QueueTaken')).toContain(
      `pool ${namespace}/older is older and works on queue shared`,
    );
    const ids = await older.jobs.add({ jobs: 4, minMs: 100, maxMs: 300 });
    await older.jobs.untilDone(ids);
    expect(await readDeployment(stage, younger)).toBeUndefined();

    await stage.kubectl.run(['delete', 'awp', 'older', '-n', namespace, '--timeout=120s']);
    const more = await older.jobs.add({ jobs: 4, minMs: 100, maxMs: 300 });
    await untilReady(stage, younger);
    await older.jobs.untilDone(more);
    expect(await older.jobs.outcome(more)).toMatchObject({ completed: 4, failed: 0, lost: 0 });
  });
});

describe.concurrent('a worker image that does not work', () => {
  it('that cannot be pulled hinders no other pool, and the corrected image does the jobs that waited', async () => {
    const broken = await tenant.addPool({ name: 'no-image', image: 'registry.local/not-there:1' });
    const healthy = await tenant.addPool({ name: 'healthy' });
    const waiting = await broken.jobs.add({ jobs: 3, minMs: 100, maxMs: 100 });
    await untilReplicas(stage, broken.ref, { replicas: 1 });
    const ids = await healthy.jobs.add({ jobs: 6, minMs: 100, maxMs: 300 });
    await healthy.jobs.untilDone(ids);
    await stage.kubectl.apply([poolManifest({ ...broken.ref, image })]);
    await broken.jobs.untilDone(waiting);
    expect(await broken.jobs.outcome(waiting)).toMatchObject(eachOnce(3));
  });

  const misbehaving = (body: string) => ({
    command: ['/usr/bin/node', '-e'],
    args: [
      `process.on('SIGTERM', () => process.exit(0));
       require('node:http').createServer((request, response) => {
         if (request.url !== '/metrics/prometheus') return response.end('ok');
         ${body}
       }).listen(3001);`,
    ],
  });

  it.each([
    { name: 'junk', body: "response.end('junk '.repeat(1e6));" },
    { name: 'silent', body: '' },
    { name: 'broken-text', body: "response.end('bullmq_job_count{queue=');" },
  ])('whose metrics are $name is sized from Redis, and the status says why', async ({ name, body }) => {
    const pool = await tenant.addPool({
      name: `metrics-${name}`,
      image,
      container: misbehaving(body),
      minReplicas: 1,
    });
    await pool.jobs.add({ jobs: 7, minMs: 1, maxMs: 1 });
    const seen = await untilPool(stage, pool.ref, {
      what: 'the pool is sized from Redis beside a worker that runs',
      holds: ({ status }) =>
        (status?.replicas?.ready ?? 0) > 0 && status?.queue?.waiting === 7 && status.replicas?.wanted === 2,
    });
    expect(seen.status?.queue?.source).toBe('Redis');
    const observed = await untilPool(stage, pool.ref, {
      what: 'the reason names the replica',
      holds: (now) => conditionOf(now, 'QueueObserved')?.message.includes('replica metrics-') === true,
    });
    expect(conditionOf(observed, 'QueueObserved')?.status).toBe('True');
  });
});

it('through all of it the operator stayed one process and did not spin', async () => {
  const pods = JSON.parse(await onOperator(stage, ['get', 'pods', '-o', 'json'])) as {
    items: { status: { containerStatuses: { restartCount: number }[] } }[];
  };
  expect(pods.items.flatMap(({ status }) => status.containerStatuses.map(({ restartCount }) => restartCount))).toEqual([
    0,
  ]);
});
