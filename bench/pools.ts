import { setTimeout as sleep } from 'node:timers/promises';
import { POOL_LABEL } from '../operator/api/names.ts';
import { deployments } from '../operator/kube/resources.ts';
import { clusterDown, clusterUp } from '../test/cluster/cluster.ts';
import { until } from '../test/cluster/until.ts';
import { installOperator } from '../test/fixtures/stage/install.ts';
import { openOperatorMetrics, type OperatorMetrics } from '../test/fixtures/stage/operator-metrics.ts';
import { openStage, type Stage } from '../test/fixtures/stage/stage.ts';
import { openTenant, type Tenant } from '../test/fixtures/stage/tenant.ts';
import { type BenchContext, BenchError, defineBench } from './harness.ts';
import { addSleepers, openProducers } from './many-pools.ts';
import { scalePlainDeployments } from './plain-deployments.ts';
import { countCommands } from './redis-commands.ts';

const CLUSTER = 'bench';
const POOLS = 1000;
const RUNS = 2;
const IDLE_MS = 60_000;
/**
 * Kubernetes' own controllers are as quick as a managed control plane for clusters of this size makes them: with their
 * defaults (20 calls a second) they take minutes to follow a thousand Deployments, before and between the bursts.
 */
const CONTROLLERS = ['--kube-api-qps=300', '--kube-api-burst=600', '--concurrent-deployment-syncs=20'];

/**
 * 1,000 pools on one Redis, with the whole cluster beside them. `burst_1000_s`: from before the first job is added, one
 * to each queue, until the watch has shown more than 0 replicas of every Deployment. `plain_1000_s` is what the cluster
 * can do by itself, in the same run: 1,000 Deployments without an operator, and the patches alone. No replica can be
 * scheduled: 1,000 pods are nothing for one node. `to_zero_1000_s`: from before the jobs are taken away until every
 * Deployment is at 0 again. `rss_mb` after the burst, `cpu_idle_percent` of one processor while all sleep,
 * `status_writes_per_min` for each pool in the minute in which all are active, and `redis_commands_per_min` of all.
 */
export const bench = defineBench({
  name: 'pools',
  figures: [
    { id: 'pools.burst_1000_s', unit: 's' },
    { id: 'pools.plain_1000_s', unit: 's' },
    { id: 'pools.burst_to_plain_ratio', unit: 'ratio' },
    { id: 'pools.to_zero_1000_s', unit: 's' },
    { id: 'pools.rss_mb', unit: 'MB' },
    { id: 'pools.cpu_idle_percent', unit: '%' },
    { id: 'pools.status_writes_per_min', unit: 'writes/min' },
    { id: 'pools.redis_commands_per_min', unit: 'commands/min' },
  ],
  run: async (context) => {
    const options = { flags: { 'controller-manager': CONTROLLERS } };
    const handle = await clusterUp({ name: CLUSTER, progress: context.say, options });
    const stage = openStage({ kind: 'embedded', cluster: CLUSTER, kubeconfig: handle.kubeconfigOutside });
    const metrics = await installOperator(stage).then(() => openOperatorMetrics(stage));
    try {
      const plain = await scalePlainDeployments(stage, handle.kubeconfigOutside, POOLS);
      context.record('pools.plain_1000_s', plain);
      context.say(`${POOLS} plain Deployments are scaled by patches alone in ${plain} s`);
      await measure(stage, { metrics, plain, context });
    } finally {
      await metrics.close();
      await stage.close();
      await clusterDown(CLUSTER, context.say);
    }
  },
});

type Measured = Readonly<{ metrics: OperatorMetrics; plain: number; context: BenchContext }>;

async function measure(stage: Stage, { metrics, plain, context }: Measured): Promise<void> {
  const { record, say, signal } = context;
  const tenant = await openTenant(stage, 'pools');
  const names = Array.from({ length: POOLS }, (_, index) => `pool-${index}`);
  const began = performance.now();
  await addSleepers(stage, tenant, names);
  const producers = await openProducers(tenant, names);
  say(`${POOLS} pools are Ready after ${seconds(began)} s`);
  try {
    await measureIdle(tenant, metrics, context);
    for (let run = 1; run <= RUNS; run++) {
      signal.throwIfAborted();
      const burst = await runBurst(tenant, names, producers.addToAll);
      record('pools.burst_1000_s', burst);
      record('pools.burst_to_plain_ratio', burst / plain);
      say(`run ${run} of ${RUNS}: every Deployment scaled after ${burst} s`);
      const writes = await writesOfAMinute(metrics);
      record('pools.status_writes_per_min', writes / POOLS);
      record('pools.rss_mb', (await metrics.read('process_resident_memory_bytes')) / 1e6);
      const toZero = await runToZero(tenant, names, producers.emptyAll);
      record('pools.to_zero_1000_s', toZero);
      say(`run ${run} of ${RUNS}: every Deployment is at zero again after ${toZero} s`);
      // A burst on a cluster that is still busy with the one before would measure that, too.
      if (run < RUNS) await untilSettled(stage, tenant);
    }
  } finally {
    await producers.close();
    // A thousand pools are not taken away one by one: the whole cluster goes, and nobody may look for it for ever.
    await tenant.redis.stop();
    await tenant.history.stop();
  }
}

async function measureIdle(tenant: Tenant, metrics: OperatorMetrics, { record, say }: BenchContext): Promise<void> {
  const redis = await tenant.redis.connect();
  await sleep(10_000);
  for (let minute = 0; minute < 2; minute++) {
    const cpuBefore = await metrics.read('process_cpu_seconds_total');
    const commands = await countCommands(redis, IDLE_MS);
    const cpu = (await metrics.read('process_cpu_seconds_total')) - cpuBefore;
    record('pools.cpu_idle_percent', (cpu / (IDLE_MS / 1000)) * 100);
    record('pools.redis_commands_per_min', commands);
    say(`asleep: ${((cpu / (IDLE_MS / 1000)) * 100).toFixed(1)} % of a processor, ${commands} commands in a minute`);
  }
}

async function runBurst(tenant: Tenant, names: readonly string[], addToAll: () => Promise<void>): Promise<number> {
  const addedAt = Date.now();
  await addToAll();
  const scaledAt = await until(
    () => {
      const first = names.map((name) =>
        tenant.history.of(name).find(({ at, replicas }) => at >= addedAt && replicas > 0),
      );
      return first.every((entry) => entry !== undefined) && Math.max(...first.map((entry) => entry?.at ?? 0));
    },
    { what: `${names.length} Deployments are scaled`, limitMs: 120_000, everyMs: 100 },
  );
  return (scaledAt - addedAt) / 1000;
}

/** From before the jobs are taken away until the watch has shown 0 replicas of every Deployment. */
async function runToZero(tenant: Tenant, names: readonly string[], emptyAll: () => Promise<void>): Promise<number> {
  const emptiedAt = Date.now();
  await emptyAll();
  const last = () => names.map((name) => tenant.history.of(name).at(-1));
  await until(() => last().every((entry) => entry?.replicas === 0), {
    what: 'all are back at zero',
    limitMs: 400_000,
    everyMs: 500,
  }).catch((error: unknown) => {
    const missing = last().filter((entry) => entry?.replicas !== 0).length;
    throw new BenchError(`${missing} of ${names.length} Deployments are not back at zero`, { cause: error });
  });
  return (Math.max(...last().map((entry) => entry?.at ?? 0)) - emptiedAt) / 1000;
}

/** Until Kubernetes' controllers have followed every Deployment to zero, and what the operator says later is said. */
async function untilSettled(stage: Stage, { namespace }: Tenant): Promise<void> {
  await until(
    async () => {
      const ofPools = { namespace, labelSelector: POOL_LABEL };
      const { items } = await stage.client.list<SettlingDeployment>(deployments, ofPools);
      return items.every(
        ({ metadata, status }) => status?.observedGeneration === metadata.generation && (status.replicas ?? 0) === 0,
      );
    },
    { what: 'the cluster has settled', limitMs: 300_000, everyMs: 2_000 },
  );
  await sleep(15_000);
}

type SettlingDeployment = Readonly<{
  metadata: Readonly<{ generation: number }>;
  status?: Readonly<{ observedGeneration?: number; replicas?: number }>;
}>;

async function writesOfAMinute(metrics: OperatorMetrics): Promise<number> {
  // What the burst itself had written is not what an active pool goes on to write.
  await sleep(10_000);
  const before = await metrics.read('awp_writes_total', 'object="status"');
  await sleep(60_000);
  return (await metrics.read('awp_writes_total', 'object="status"')) - before;
}

const seconds = (began: number): string => ((performance.now() - began) / 1000).toFixed(1);
