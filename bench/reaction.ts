import { setTimeout as sleep } from 'node:timers/promises';
import { clusterDown, clusterUp } from '../test/cluster/cluster.ts';
import { until } from '../test/cluster/until.ts';
import { installOperator } from '../test/fixtures/stage/install.ts';
import { isReadyPod, readPods, untilReplicas } from '../test/fixtures/stage/pool.ts';
import { openStage, type Stage } from '../test/fixtures/stage/stage.ts';
import { openTenant, type PoolOfTest, type Tenant } from '../test/fixtures/stage/tenant.ts';
import { startTraffic } from '../test/fixtures/stage/traffic.ts';
import { type BenchContext, defineBench } from './harness.ts';
import { addSleepers, NOWHERE } from './many-pools.ts';
import { countCommands } from './redis-commands.ts';

const CLUSTER = 'bench';
const RUNS = 20;
/** Two replicas' worth, in one transaction. */
const JOBS = 10;
const REPLICAS = 2;
/** The neighbour gets 20 jobs a second. */
const NEIGHBOUR = { everyMs: 50, jobMs: 20 };
/** One job a replica, so that fifty jobs need fifty; what a producer takes to add more is not the operator's time. */
const FIFTY = { maxReplicas: 100, concurrency: 1, targetWait: '1s', podSpec: NOWHERE };
const SLEEPERS = 100;
const MINUTES = 2;

/**
 * How soon a pool reacts, beside a neighbour on the same Redis with 20 jobs a second. Each from before the jobs are added
 * until the watch shows the new `spec.replicas`, so it has the way to Redis and the way back from the API server in it:
 * `from_zero_ms` of a pool at zero, `from_some_ms` of one with a replica and no backlog, `to_50_ms` of a burst that needs
 * 50 replicas, in one write. `first_job_ratio`: from the same moment until the first job starts, divided by the time that
 * a bare Deployment of the same workers takes from `kubectl scale`'s own request to the start of its first job, the one
 * run right after the other. The commands are those that the operator sends in a minute: for 100 pools that sleep (alone,
 * all of them together), and for the neighbour.
 */
export const bench = defineBench({
  name: 'reaction',
  figures: [
    { id: 'reaction.from_zero_ms', unit: 'ms' },
    { id: 'reaction.from_some_ms', unit: 'ms' },
    { id: 'reaction.to_50_ms', unit: 'ms' },
    { id: 'reaction.first_job_ms', unit: 'ms' },
    { id: 'reaction.bare_first_job_ms', unit: 'ms' },
    { id: 'reaction.first_job_ratio', unit: 'ratio' },
    { id: 'reaction.redis_commands_per_min_100_sleeping', unit: 'commands/min' },
    { id: 'reaction.redis_commands_per_min_active', unit: 'commands/min' },
  ],
  run: async (context) => {
    const handle = await clusterUp({ name: CLUSTER, progress: context.say });
    const stage = openStage({ kind: 'embedded', cluster: CLUSTER, kubeconfig: handle.kubeconfigOutside });
    try {
      await installOperator(stage);
      await measureReaction(stage, context);
      await measureSleepers(stage, context);
    } finally {
      await stage.close();
      await clusterDown(CLUSTER, context.say);
    }
  },
});

async function measureReaction(stage: Stage, context: BenchContext): Promise<void> {
  const tenant = await openTenant(stage, 'reaction');
  const neighbour = await tenant.addPool({ name: 'neighbour', minReplicas: 1, concurrency: 25 });
  await untilReadyPods(stage, neighbour, 1);
  const traffic = startTraffic(neighbour.jobs, NEIGHBOUR);
  await measureActive(tenant, context);
  await measureTo50(stage, tenant, context);
  await measureFromSome(stage, tenant, context);
  await measureFromZero(stage, tenant, context);
  await traffic.stop();
  await tenant.close();
}

/** From now until the watch shows a number that `is` the one that is waited for. */
async function timeToWrite(
  tenant: Tenant,
  pool: PoolOfTest,
  { jobs, is }: Readonly<{ jobs: () => Promise<unknown>; is: (replicas: number) => boolean }>,
): Promise<number> {
  const addedAt = Date.now();
  await jobs();
  const written = await until(
    () => tenant.history.of(pool.ref.name).find(({ at, replicas }) => at >= addedAt && is(replicas)),
    { what: `${pool.ref.name} is scaled`, limitMs: 30_000, everyMs: 5 },
  );
  return written.at - addedAt;
}

async function measureActive(tenant: Tenant, { record, say }: BenchContext): Promise<void> {
  await sleep(10_000);
  const redis = await tenant.redis.connect();
  for (let minute = 1; minute <= MINUTES; minute++) {
    const commands = await countCommands(redis, 60_000);
    record('reaction.redis_commands_per_min_active', commands);
    say(`the neighbour, a pool with 20 jobs a second: ${commands} commands in a minute`);
  }
}

async function measureTo50(stage: Stage, tenant: Tenant, { record, say, signal }: BenchContext): Promise<void> {
  for (let run = 1; run <= RUNS; run++) {
    signal.throwIfAborted();
    const pool = await tenant.addPool({ name: `fifty-${run}`, ...FIFTY });
    const ms = await timeToWrite(tenant, pool, {
      jobs: () => pool.jobs.add({ jobs: 50, minMs: 5000, maxMs: 5000 }),
      is: (replicas) => replicas > 0,
    });
    const numbers = tenant.history.of(pool.ref.name).map(({ replicas }) => replicas);
    if (numbers.join() !== '0,50') throw new Error(`a burst for 50 replicas was written as ${numbers.join(', ')}`);
    record('reaction.to_50_ms', ms);
    say(`run ${run} of ${RUNS}: 50 replicas after ${ms} ms`);
    await removePool(stage, pool);
  }
}

async function measureFromSome(stage: Stage, tenant: Tenant, { record, say, signal }: BenchContext): Promise<void> {
  const bounds = { minReplicas: 1, maxReplicas: 2, concurrency: 2 };
  const pool = await tenant.addPool({ name: 'some', targetWait: '1s', window: '1s', ...bounds });
  for (let run = 0; run <= RUNS; run++) {
    signal.throwIfAborted();
    await untilReplicas(stage, pool.ref, { replicas: 1, limitMs: 60_000 });
    await untilReadyPods(stage, pool, 1);
    const ms = await timeToWrite(tenant, pool, {
      jobs: () => pool.jobs.add({ jobs: 12, minMs: 500, maxMs: 500 }),
      is: (replicas) => replicas > 1,
    });
    // The first one has no mean duration to go by, and its replica has just started.
    if (run > 0) record('reaction.from_some_ms', ms);
    say(`run ${run} of ${RUNS}: from one replica to two after ${ms} ms`);
  }
  await removePool(stage, pool);
}

async function measureFromZero(stage: Stage, tenant: Tenant, { record, say, signal }: BenchContext): Promise<void> {
  const pool = await tenant.addPool({ name: 'ours', targetWait: '1s', window: '1s' });
  await addBare(stage, tenant);
  // The first start of an image on a node is slower than every other.
  await runOurs(stage, tenant, pool);
  await runBare(stage, tenant);
  for (let run = 1; run <= RUNS; run++) {
    signal.throwIfAborted();
    const ours = await runOurs(stage, tenant, pool);
    const bareMs = await runBare(stage, tenant);
    record('reaction.from_zero_ms', ours.writtenMs);
    record('reaction.first_job_ms', ours.firstJobMs);
    record('reaction.bare_first_job_ms', bareMs);
    record('reaction.first_job_ratio', ours.firstJobMs / bareMs);
    say(
      `run ${run} of ${RUNS}: replicas after ${ours.writtenMs} ms, first job after ${ours.firstJobMs} ms, bare ${bareMs} ms`,
    );
  }
}

async function measureSleepers(stage: Stage, { record, say, signal }: BenchContext): Promise<void> {
  const tenant = await openTenant(stage, 'sleepers');
  const names = Array.from({ length: SLEEPERS }, (_, index) => `sleeper-${index}`);
  await addSleepers(stage, tenant, names);
  const redis = await tenant.redis.connect();
  for (let minute = 1; minute <= MINUTES; minute++) {
    signal.throwIfAborted();
    const commands = await countCommands(redis, 60_000);
    record('reaction.redis_commands_per_min_100_sleeping', commands);
    say(`${SLEEPERS} sleeping pools: ${commands} commands in a minute`);
  }
  await tenant.close();
}

async function runOurs(
  stage: Stage,
  tenant: Tenant,
  pool: PoolOfTest,
): Promise<{ writtenMs: number; firstJobMs: number }> {
  const addedAt = Date.now();
  let ids: readonly string[] = [];
  const writtenMs = await timeToWrite(tenant, pool, {
    jobs: async () => (ids = await pool.jobs.add({ jobs: JOBS, minMs: 200, maxMs: 200 })),
    is: (replicas) => replicas > 0,
  });
  await pool.jobs.untilDone(ids, 60_000);
  const { firstStartedAt } = await pool.jobs.outcome(ids);
  await untilGone(stage, pool.ref);
  return { writtenMs, firstJobMs: firstStartedAt - addedAt };
}

const removePool = ({ kubectl }: Stage, { ref }: PoolOfTest): Promise<string> =>
  kubectl.run(['delete', 'awp', ref.name, '-n', ref.namespace, '--wait=false']);

const untilGone = (stage: Stage, ref: Readonly<{ namespace: string; name: string }>): Promise<true> =>
  until(async () => (await readPods(stage, ref)).length === 0, {
    what: `${ref.name} has no pod`,
    limitMs: 60_000,
    everyMs: 100,
  });

const untilReadyPods = (stage: Stage, { ref }: PoolOfTest, count: number): Promise<true> =>
  until(
    async () => {
      const pods = await readPods(stage, ref);
      return pods.length === count && pods.every(isReadyPod);
    },
    { what: `${ref.name} has ${count} ready pods and no other`, limitMs: 60_000, everyMs: 100 },
  );

/** The same pods as the pool has, in a Deployment that nobody looks after. */
async function addBare(stage: Stage, { namespace }: Tenant): Promise<void> {
  const text = await stage.kubectl.run(['get', 'deployment', 'ours', '-n', namespace, '-o', 'json']);
  const { spec } = JSON.parse(text.replaceAll('"ours"', '"bare"')) as { spec: object };
  await stage.kubectl.apply([
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { namespace, name: 'bare' },
      spec: { ...spec, replicas: 0 },
    },
  ]);
}

async function runBare(stage: Stage, tenant: Tenant): Promise<number> {
  const { namespace } = tenant;
  const jobs = await tenant.jobsFor('bare');
  const ids = await jobs.add({ jobs: JOBS, minMs: 200, maxMs: 200 });
  const scaledAt = Date.now();
  await scaleBare(stage, namespace, REPLICAS);
  await jobs.untilDone(ids, 60_000);
  const { firstStartedAt } = await jobs.outcome(ids);
  await scaleBare(stage, namespace, 0);
  await untilGone(stage, { namespace, name: 'bare' });
  return firstStartedAt - scaledAt;
}

/** What `kubectl scale` sends, without the start of a process. */
async function scaleBare({ transport }: Stage, namespace: string, replicas: number): Promise<void> {
  await transport.request({
    method: 'PATCH',
    path: `/apis/apps/v1/namespaces/${namespace}/deployments/bare/scale`,
    contentType: 'application/merge-patch+json',
    body: { spec: { replicas } },
  });
}
