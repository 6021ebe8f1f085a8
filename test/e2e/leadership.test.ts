import { afterAll, beforeAll, expect, it } from 'vitest';
import { pods, leases } from '../../operator/kube/resources.ts';
import { until } from '../cluster/until.ts';
import { installOperator, onOperator, OPERATOR_NAMESPACE } from '../fixtures/stage/install.ts';
import { type PodNow, readPods, untilPool, untilReplicas } from '../fixtures/stage/pool.ts';
import { stageOfTests } from '../fixtures/stage/stage.ts';
import { openTenant, type Tenant } from '../fixtures/stage/tenant.ts';

const stage = stageOfTests();
/** Short, so that a death is noticed within the patience of a test; long enough for a busy machine. */
const LEASE_SECONDS = 8;
let tenant: Tenant;

beforeAll(async () => {
  await installOperator(stage, { LEASE_DURATION_SECONDS: String(LEASE_SECONDS) });
  await onOperator(stage, ['scale', 'deployment/agent-worker-pool', '--replicas=2']);
  await onOperator(stage, ['rollout', 'status', 'deployment/agent-worker-pool', '--timeout=120s']);
  tenant = await openTenant(stage, 'leadership');
});
afterAll(async () => {
  await tenant.close();
  await onOperator(stage, ['set', 'env', 'deployment/agent-worker-pool', 'LEASE_DURATION_SECONDS-']);
  await onOperator(stage, ['scale', 'deployment/agent-worker-pool', '--replicas=1']);
  await onOperator(stage, ['rollout', 'status', 'deployment/agent-worker-pool', '--timeout=120s']);
  await stage.close();
});

/** The name of the pod whose process holds the lease. */
const holder = async (): Promise<string> => {
  const ref = { namespace: OPERATOR_NAMESPACE, name: 'agent-worker-pool' };
  const lease = await stage.client.get<{ spec: { holderIdentity?: string } }>(leases, ref);
  return lease?.spec.holderIdentity?.split('_')[0] ?? '';
};

const untilHeldByOther = (than: string, limitMs: number): Promise<string> =>
  until(
    async () => {
      const now = await holder();
      return now !== '' && now !== than && now;
    },
    { what: 'another process holds the lease', limitMs, everyMs: 50 },
  );

const readyOperators = async (): Promise<number> => {
  const { items } = await stage.client.list<PodNow>(pods, { namespace: OPERATOR_NAMESPACE });
  const living = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return living.filter(({ status }) => status.containerStatuses?.every(({ ready }) => ready) === true).length;
};

const untilTwoReady = () =>
  until(async () => (await readyOperators()) === 2, { what: 'leader and standby are Ready', limitMs: 60_000 });

it('a standby is Ready, takes over at once when the leader is asked to go, and scales', async () => {
  const pool = await tenant.addPool({ name: 'asked' });
  await untilTwoReady();
  const before = await holder();
  const began = Date.now();
  await onOperator(stage, ['delete', 'pod', before, '--wait=false']);
  await untilHeldByOther(before, 15_000);
  // Well below the lease's duration, which a leader that vanishes would cost. The kubelet's part of it is a second or two.
  expect(Date.now() - began).toBeLessThan(3 * 2000);
  const ids = await pool.jobs.add({ jobs: 6, minMs: 100, maxMs: 300 });
  await untilReplicas(stage, pool.ref, { replicas: 2, limitMs: 10_000 });
  await pool.jobs.untilDone(ids, 30_000);
  expect(await pool.jobs.outcome(ids)).toMatchObject({ completed: 6, failed: 0, lost: 0, runTwice: 0 });
});

it('a leader that vanishes is replaced when its lease has run out, and the new one removes nothing in its first window', async () => {
  const window = 15_000;
  const pool = await tenant.addPool({ name: 'vanished', window: `${window / 1000}s` });
  const ids = await pool.jobs.add({ jobs: 6, minMs: 2000, maxMs: 2000 });
  await untilReplicas(stage, pool.ref, { replicas: 2, limitMs: 20_000 });
  await untilTwoReady();
  const before = await holder();
  const killedAt = Date.now();
  await onOperator(stage, ['delete', 'pod', before, '--force', '--grace-period=0']);
  await untilHeldByOther(before, 3 * (LEASE_SECONDS + 2) * 1000);
  const tookOverAt = Date.now();
  await pool.jobs.untilDone(ids, 60_000);
  await untilPool(stage, pool.ref, {
    what: 'the new leader says that it watches a whole window first',
    limitMs: window,
    holds: ({ status }) => status?.decision?.reason === 'WatchingFirstWindow',
  });
  await untilReplicas(stage, pool.ref, { replicas: 0, limitMs: 3 * window });
  const lowered = tenant.history.of('vanished').find(({ at, replicas }) => at > killedAt && replicas < 2)?.at ?? 0;
  expect(lowered - tookOverAt).toBeGreaterThan(window - 2000);
  expect(await pool.jobs.outcome(ids)).toMatchObject({ completed: 6, failed: 0, lost: 0, runTwice: 0 });
});

it('an upgrade of the operator restarts no worker', async () => {
  const pool = await tenant.addPool({ name: 'upgraded', minReplicas: 2 });
  const uids = async () => (await readPods(stage, pool.ref)).map(({ metadata }) => metadata.uid).toSorted();
  await untilPool(stage, pool.ref, {
    what: 'two workers are ready',
    limitMs: 30_000,
    holds: ({ status }) => status?.replicas?.ready === 2,
  });
  const before = await uids();
  const leader = await holder();
  await onOperator(stage, ['rollout', 'restart', 'deployment/agent-worker-pool']);
  await onOperator(stage, ['rollout', 'status', 'deployment/agent-worker-pool', '--timeout=120s']);
  await untilHeldByOther(leader, 30_000);
  // The new leader has decided on this pool when it scales it.
  await pool.jobs.add({ jobs: 15, minMs: 1000, maxMs: 1000 });
  await untilReplicas(stage, pool.ref, { replicas: 3, limitMs: 20_000 });
  const after = await uids();
  expect(before).toHaveLength(2);
  expect(after).toEqual(expect.arrayContaining(before));
});
