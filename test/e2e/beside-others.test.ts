import { afterAll, describe, expect, it } from 'vitest';
import { SCALED_OBJECTS, scaledObject } from '../fixtures/keda.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import { conditionOf, readDeployment, untilPool, untilReplicas } from '../fixtures/stage/pool.ts';
import { type PoolOfTest, untilReady } from '../fixtures/stage/tenant.ts';

const { stage, tenant } = tenantOfTests('beside');

afterAll(async () => {
  await stage.kubectl.run(['delete', 'crd', SCALED_OBJECTS.metadata.name, '--ignore-not-found', '--timeout=120s']);
});

const kubectl = (...args: string[]): Promise<string> => stage.kubectl.run(['-n', tenant.namespace, ...args]);

const patch = ({ ref }: PoolOfTest, spec: object): Promise<string> =>
  kubectl('patch', 'awp', ref.name, '--type=merge', '-p', JSON.stringify({ spec }));

const untilScalingHeld = ({ ref }: PoolOfTest, reason: string) =>
  untilPool(stage, ref, {
    what: `pool ${ref.name} says ${reason}`,
    holds: (pool) => conditionOf(pool, 'ScalingActive')?.reason === reason,
  });

const untilWanted = ({ ref }: PoolOfTest, wanted: number) =>
  untilPool(stage, ref, {
    what: `pool ${ref.name} wants ${wanted}`,
    holds: ({ status }) => status?.replicas?.wanted === wanted,
  });

describe.concurrent('an HPA on the Deployment of a pool', () => {
  it('has the number to itself while it is there, and is named', async () => {
    const pool = await tenant.addPool({ name: 'shared' });
    await stage.kubectl.apply([
      {
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { namespace: tenant.namespace, name: 'theirs' },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shared' },
          minReplicas: 1,
          maxReplicas: 2,
          metrics: [
            { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
          ],
        },
      },
    ]);
    const held = await untilScalingHeld(pool, 'OtherAutoscaler');
    expect(conditionOf(held, 'ScalingActive')?.message).toContain('HorizontalPodAutoscaler theirs');
    await kubectl('scale', 'deployment', 'shared', '--replicas=1');
    await untilPool(stage, pool.ref, {
      what: 'the number of the other one is left as it is',
      holds: ({ status }) => status?.replicas?.current === 1,
    });
    expect(await kubectl('describe', 'awp', 'shared')).not.toContain('corrected');

    await kubectl('delete', 'hpa', 'theirs');
    await untilReplicas(stage, pool.ref, { replicas: 0 });
    expect(pool.history()).toEqual([0, 1, 0]);
  });
});

describe.concurrent('a ScaledObject of KEDA on the Deployment of a pool', () => {
  it('has the number to itself from the time on when KEDA is there, until it is gone with all that was its', async () => {
    const pool = await tenant.addPool({ name: 'with-keda' });
    await stage.kubectl.apply([SCALED_OBJECTS]);
    await stage.kubectl.run(['wait', '--for=condition=Established', '--timeout=120s', 'crd/scaledobjects.keda.sh']);
    await stage.kubectl.apply([scaledObject({ namespace: tenant.namespace, name: 'kedas' }, 'with-keda')]);
    // The operator looks once a minute whether there is a KEDA by now.
    const held = await untilScalingHeld(pool, 'OtherAutoscaler');
    expect(conditionOf(held, 'ScalingActive')?.message).toContain('ScaledObject kedas');
    const ids = await pool.jobs.add({ jobs: 8, minMs: 100, maxMs: 200 });
    await untilPool(stage, pool.ref, {
      what: 'the backlog is seen',
      holds: ({ status }) => status?.queue?.waiting === 8,
    });
    expect(pool.history()).toEqual([0]);

    await stage.kubectl.run(['delete', 'crd', SCALED_OBJECTS.metadata.name, '--timeout=120s']);
    await pool.jobs.untilDone(ids);
    expect(pool.history().slice(0, 2)).toEqual([0, 2]);
  });
});

describe.concurrent('a pool that only recommends', () => {
  it('says the number and makes nothing of it, until it may', async () => {
    const pool = await tenant.addPool({ name: 'advised' });
    await patch(pool, { mode: 'Recommend' });
    await untilScalingHeld(pool, 'Recommend');
    const ids = await pool.jobs.add({ jobs: 8, minMs: 100, maxMs: 200 });
    const { status } = await untilWanted(pool, 2);
    expect(status?.decision?.message).toBe(
      '0 active + 8 waiting = 8 slots; 5 a replica → 2; recommended only, 0 replicas stay',
    );
    await untilReady(stage, pool.ref);
    expect(pool.history()).toEqual([0]);

    await patch(pool, { mode: 'Auto' });
    await pool.jobs.untilDone(ids);
    expect(pool.history().slice(0, 2)).toEqual([0, 2]);
  });

  it('looks at a Deployment of others, and never touches it', async () => {
    await kubectl('create', 'deployment', 'old-workers', '--image=registry.local/none:1', '--replicas=1');
    const ref = { namespace: tenant.namespace, name: 'old-workers' };
    const before = await readDeployment(stage, ref);
    const pool = await tenant.addPool({ name: 'looking' });
    await patch(pool, { mode: 'Recommend', workers: { deploymentName: 'old-workers' } });
    await pool.jobs.add({ jobs: 12, minMs: 100, maxMs: 200 });
    const { status } = await untilWanted(pool, 3);
    expect(status?.replicas).toMatchObject({ current: 1, wanted: 3 });
    const after = await readDeployment(stage, ref);
    expect(after?.spec).toEqual(before?.spec);
    expect(after?.metadata.generation).toBe(before?.metadata.generation);
    await kubectl('delete', 'deployment', 'old-workers');
  });
});
