import { afterAll, beforeAll, expect, it } from 'vitest';
import { pods } from '../../operator/kube/resources.ts';
import { until } from '../cluster/until.ts';
import { onOperator, OPERATOR_NAMESPACE } from '../fixtures/stage/install.ts';
import {
  type Holder,
  installLeaderAndStandby,
  killOperator,
  readHolder,
  restoreOperator,
} from '../fixtures/stage/leader.ts';
import { isReadyPod, type PodNow, readDeployment, readPods, untilPool, untilReplicas } from '../fixtures/stage/pool.ts';
import { stageOfTests } from '../fixtures/stage/stage.ts';
import { openTenant, type Tenant } from '../fixtures/stage/tenant.ts';

const stage = stageOfTests();
/** Short, so that a death is noticed within the patience of a test; long enough for a busy machine. */
const LEASE_SECONDS = 8;
/** The most that a standby lets pass between two looks at a lease. */
const RETRY_MS = 2000;
let tenant: Tenant;

beforeAll(async () => {
  await installLeaderAndStandby(stage, LEASE_SECONDS);
  tenant = await openTenant(stage, 'leadership');
}, 240_000);
afterAll(async () => {
  await tenant.close();
  await restoreOperator(stage);
  await stage.close();
}, 240_000);

const untilHeldByOther = (than: Holder, limitMs: number): Promise<Holder> =>
  until(
    async () => {
      const now = await readHolder(stage);
      return now.identity !== '' && now.identity !== than.identity && now;
    },
    { what: 'another process holds the lease', limitMs, everyMs: 50 },
  );

/** A leader and a standby, both Ready. */
const untilTwoReady = (): Promise<Holder> =>
  until(
    async () => {
      const { items } = await stage.client.list<PodNow>(pods, { namespace: OPERATOR_NAMESPACE });
      const now = await readHolder(stage);
      const ready = items.filter(isReadyPod).map(({ metadata }) => metadata.name);
      return items.length === 2 && ready.length === 2 && ready.includes(now.pod) && now;
    },
    { what: 'leader and standby are Ready', everyMs: 200 },
  );

const eachOnce = (jobs: number) => ({ jobs, completed: jobs, failed: 0, lost: 0, runTwice: 0 });

it('a standby is Ready, takes over within 5 s when the leader is asked to go, and scales', async () => {
  const pool = await tenant.addPool({ name: 'asked' });
  const before = await untilTwoReady();
  await onOperator(stage, ['delete', 'pod', before.pod, '--wait=false']);
  // Well below what a leader that vanishes costs: it gives its lease back.
  await untilHeldByOther(before, 5000);
  const ids = await pool.jobs.add({ jobs: 6, minMs: 100, maxMs: 300 });
  await untilReplicas(stage, pool.ref, { replicas: 2 });
  await pool.jobs.untilDone(ids);
  expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(6));
});

it('a leader that vanishes is replaced when its lease has run out, and the next removes nothing in its first window', async () => {
  const windowMs = 10_000;
  const pool = await tenant.addPool({ name: 'vanished', window: `${windowMs / 1000}s` });
  const before = await untilTwoReady();
  const ids = await pool.jobs.add({ jobs: 6, minMs: 2000, maxMs: 2000 });
  await untilReplicas(stage, pool.ref, { replicas: 2 });
  await killOperator(stage, before.pod);
  await untilHeldByOther(before, LEASE_SECONDS * 1000 + RETRY_MS + 3000);
  const tookOverAt = Date.now();
  await untilPool(stage, pool.ref, {
    what: 'the new leader says that it watches a whole window first',
    holds: ({ status }) => status?.decision?.reason === 'WatchingFirstWindow',
  });
  await pool.jobs.untilDone(ids);
  await untilReplicas(stage, pool.ref, { replicas: 0 });
  const [, up, lowered] = tenant.history.of('vanished');
  expect(up?.replicas).toBe(2);
  // It begins to watch a moment after it holds the lease, which was seen a moment later.
  expect((lowered?.at ?? 0) - tookOverAt).toBeGreaterThan(windowMs - 500);
  expect(await pool.jobs.outcome(ids)).toMatchObject(eachOnce(6));
});

it('an upgrade of the operator restarts no worker', async () => {
  const pool = await tenant.addPool({ name: 'upgraded', minReplicas: 2, window: '5m' });
  const readyUids = async () =>
    (await readPods(stage, pool.ref)).filter(isReadyPod).map(({ metadata }) => metadata.uid);
  const before = await until(
    async () => {
      const uids = await readyUids();
      return uids.length === 2 && uids;
    },
    { what: 'two workers are ready' },
  );
  const leader = await untilTwoReady();
  await onOperator(stage, ['rollout', 'restart', 'deployment/agent-worker-pool']);
  await onOperator(stage, ['rollout', 'status', 'deployment/agent-worker-pool', '--timeout=120s']);
  await untilHeldByOther(leader, 30_000);
  // The new leader has decided on this pool, and applied it, when it has scaled it.
  const ids = await pool.jobs.add({ jobs: 15, minMs: 1000, maxMs: 1000 });
  await untilReplicas(stage, pool.ref, { replicas: 3 });
  await pool.jobs.untilDone(ids);
  await until(
    async () => {
      const { metadata, status = {} } = (await readDeployment(stage, pool.ref)) ?? {};
      const { observedGeneration = 0, replicas, updatedReplicas, readyReplicas } = status;
      const counts = [replicas, updatedReplicas, readyReplicas];
      return observedGeneration === metadata?.generation && counts.every((count) => count === 3);
    },
    { what: 'three workers are ready, and no others are there' },
  );
  expect(await readyUids()).toEqual(expect.arrayContaining(before));
});
