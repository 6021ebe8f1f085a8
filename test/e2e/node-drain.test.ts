import { expect, it } from 'vitest';
import { until } from '../cluster/until.ts';
import { identitiesOf, readEvents } from '../fixtures/stage/health.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import { conditionOf, isReadyPod, readPods, readPool, untilPool } from '../fixtures/stage/pool.ts';
import { embeddedOf } from '../fixtures/stage/sabotage.ts';
import type { PoolOfTest } from '../fixtures/stage/tenant.ts';

const { stage, tenant } = tenantOfTests('node-drain');

/** Nothing of another namespace has it: `kubectl drain` selects by label and by no namespace. */
const NAME = 'on-a-drained-node';
const RESTARTS = { maxRetries: 3, backoff: { base: '1s', max: '2s' }, resetAfter: '1h' };
const TROUBLE = ['ReplicaRestarted', 'RestartBudgetExhausted', 'JobsInterrupted', 'DependencyUnavailable'];

const troubleSaid = async ({ ref }: PoolOfTest) =>
  (await readEvents(stage, ref)).map(({ reason }) => reason).filter((reason) => TROUBLE.includes(reason));

/** The phases in which replicas were shown, until it is stopped. */
function watchPhases({ ref }: PoolOfTest): Readonly<{ seen: ReadonlySet<string>; stop: () => void }> {
  const seen = new Set<string>();
  const timer = setInterval(() => {
    void readPool(stage, ref).then(
      (pool) => pool?.status?.workers?.forEach(({ phase }) => seen.add(phase)),
      () => undefined,
    );
  }, 200);
  return { seen, stop: () => clearInterval(timer) };
}

it('a node that is drained takes its replicas away one after the other, costs no retry and interrupts no job', async (ctx) => {
  if (embeddedOf(stage) === undefined) return ctx.skip('the nodes of a cluster that is not ours are not to be drained');
  const pool = await tenant.addPool({ name: NAME, minReplicas: 2, maxReplicas: 2, restarts: RESTARTS });
  const untilBothReady = () =>
    until(async () => (await readPods(stage, pool.ref)).filter(isReadyPod).length === 2, {
      what: 'both replicas are ready',
      limitMs: 120_000,
    });
  await untilBothReady();
  const before = await identitiesOf(stage, pool.ref);
  // The pool may have been there before its Redis answered.
  const saidBefore = await troubleSaid(pool);
  const phases = watchPhases(pool);
  const ids = await pool.jobs.add({ jobs: 40, minMs: 2000, maxMs: 4000 });
  await until(async () => (await pool.jobs.counts()).active === 10, { what: 'all slots are taken', limitMs: 120_000 });
  const node = (await stage.kubectl.run(['get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}'])).trim();
  const selector = `--pod-selector=agentpool.dev/pool=${NAME}`;
  const drained = stage.kubectl.run(['drain', node, selector, '--ignore-daemonsets', '--delete-emptydir-data']);
  // Awaited below; what fails before is what is to be read.
  void drained.catch(() => undefined);
  try {
    // It is the only node: the next replica has none, and the disruption budget keeps the other one until it has.
    const pending = await untilPool(stage, pool.ref, {
      what: 'the next replica waits for a node',
      limitMs: 120_000,
      holds: ({ status }) => status?.workers?.some(({ phase }) => phase === 'Pending') === true,
    });
    expect(pending.status?.workers?.find(({ phase }) => phase === 'Pending')?.because).toMatch(/unschedulable/);
    const stay = Object.keys(await identitiesOf(stage, pool.ref)).filter((uid) => uid in before);
    expect(stay).toHaveLength(1);
  } finally {
    await stage.kubectl.run(['uncordon', node]);
  }
  // As `kubectl drain` promises: none of those that it found is left.
  await drained;
  await untilBothReady();
  await pool.jobs.untilDone(ids, 120_000);
  phases.stop();
  expect(await pool.jobs.outcome(ids)).toMatchObject({ jobs: 40, completed: 40, failed: 0, lost: 0, runTwice: 0 });
  const after = Object.keys(await identitiesOf(stage, pool.ref));
  expect(after.filter((uid) => uid in before)).toEqual([]);
  const now = await readPool(stage, pool.ref);
  expect(now?.status?.restarts).toMatchObject({ used: 0, left: 3 });
  expect(now?.status?.restarts).not.toHaveProperty('lastFailureAt');
  expect(conditionOf(now, 'RestartBudgetAvailable')).toMatchObject({ status: 'True' });
  expect([...phases.seen]).not.toContain('Failed');
  expect(await troubleSaid(pool)).toEqual(saidBefore);
});
