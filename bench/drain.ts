import { clusterDown, clusterUp } from '../test/cluster/cluster.ts';
import { until } from '../test/cluster/until.ts';
import { installOperator } from '../test/fixtures/stage/install.ts';
import { readPods, readPool, untilPool, untilReplicas } from '../test/fixtures/stage/pool.ts';
import { openStage, type Stage } from '../test/fixtures/stage/stage.ts';
import { openTenant, type PoolOfTest } from '../test/fixtures/stage/tenant.ts';
import { type BenchContext, defineBench } from './harness.ts';

const CLUSTER = 'bench-drain';
const RUNS = 10;
/** Short, so that a run is; what is measured begins when it has passed. */
const WINDOW = '3s';
/** A pool that is drained twice in twenty seconds, again and again, would use up those of an ordinary one. */
const COMMANDS = 1_000;

/**
 * What the drain of one replica costs, one run after the other, alone on the cluster. `removed_after_ms`: from when the
 * status says that no replica is wanted any more (the window has passed) until the replica is told to end, no other one
 * changing; of it the readiness probe takes 2 to 4 s (every 2 s, not ready after the second failure). `uncordon_ms`: from
 * before a job is added, while the only replica is on its way out, until the job starts there. `cold_start_ms`: the same of
 * a pool at zero.
 */
export const bench = defineBench({
  name: 'drain',
  figures: [
    { id: 'drain.removed_after_ms', unit: 'ms' },
    { id: 'drain.uncordon_ms', unit: 'ms' },
    { id: 'drain.cold_start_ms', unit: 'ms' },
  ],
  run: async (context) => {
    const handle = await clusterUp({ name: CLUSTER, progress: context.say });
    const stage = openStage({ kind: 'embedded', cluster: CLUSTER, kubeconfig: handle.kubeconfigOutside });
    try {
      await installOperator(stage);
      const tenant = await openTenant(stage, 'drain');
      const scaling = { targetWait: '1s', window: WINDOW, maxReplicas: 1, commandsPerMinute: COMMANDS };
      const pool = await tenant.addPool({ name: 'drained', concurrency: 1, ...scaling });
      for (let run = 1; run <= RUNS && !context.signal.aborted; run += 1) {
        await measure(stage, pool, context);
        context.say(`run ${run} of ${RUNS}`);
      }
      await tenant.close();
    } finally {
      await stage.close();
      await clusterDown(CLUSTER, context.say);
    }
  },
});

/** From zero, down half the way, back to work, and down to zero. */
async function measure(stage: Stage, pool: PoolOfTest, { record }: BenchContext): Promise<void> {
  record('drain.cold_start_ms', await timeToStart(pool));
  await untilUnwanted(stage, pool);
  await untilPool(stage, pool.ref, {
    what: 'the replica is on its way out',
    limitMs: 30_000,
    holds: ({ status }) => status?.replicas?.draining === 1,
  });
  record('drain.uncordon_ms', await timeToStart(pool));
  const unwantedAt = await untilUnwanted(stage, pool);
  await until(async () => (await readPods(stage, pool.ref)).every(({ metadata }) => metadata.deletionTimestamp), {
    what: 'the replica is told to end',
    limitMs: 60_000,
    everyMs: 10,
  });
  record('drain.removed_after_ms', Date.now() - unwantedAt);
  await untilReplicas(stage, pool.ref, { replicas: 0, limitMs: 10_000 });
  await until(async () => (await readPods(stage, pool.ref)).length === 0, {
    what: 'the replica is gone',
    limitMs: 60_000,
  });
}

async function timeToStart({ jobs }: PoolOfTest): Promise<number> {
  const addedAt = Date.now();
  const { id = '' } = await jobs.queue.add('test-job', { durationMs: 100 });
  await jobs.untilDone([id], 60_000);
  return (await jobs.outcome([id])).firstStartedAt - addedAt;
}

/** Resolves with the time at which it was seen: a hundredth of a second late at most, and the way to the API server. */
async function untilUnwanted(stage: Stage, { ref }: PoolOfTest): Promise<number> {
  for (const wanted of [1, 0]) {
    await until(async () => (await readPool(stage, ref))?.status?.replicas?.wanted === wanted, {
      what: `the pool wants ${wanted}`,
      limitMs: 60_000,
      everyMs: 10,
    });
  }
  return Date.now();
}
