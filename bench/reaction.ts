import { clusterDown, clusterUp } from '../test/cluster/cluster.ts';
import { until } from '../test/cluster/until.ts';
import { installOperator } from '../test/fixtures/stage/install.ts';
import { readPods } from '../test/fixtures/stage/pool.ts';
import { openStage, type Stage } from '../test/fixtures/stage/stage.ts';
import { openTenant, type PoolOfTest, type Tenant } from '../test/fixtures/stage/tenant.ts';
import { type BenchContext, defineBench } from './harness.ts';

const CLUSTER = 'bench';
const RUNS = 12;
/** Two replicas' worth, in one transaction. */
const JOBS = 10;
const REPLICAS = 2;

/**
 * How soon a pool at zero reacts. `from_zero_ms`: from before the job is added until the watch shows the new
 * `spec.replicas`, so it has the way to Redis and the way back from the API server in it. `first_job_ratio`: from the
 * same moment until the first job starts, divided by the time that a bare Deployment of the same workers takes from
 * `kubectl scale`'s own request to the start of its first job, the one run right after the other.
 */
export const bench = defineBench({
  name: 'reaction',
  figures: [
    { id: 'reaction.from_zero_ms', unit: 'ms' },
    { id: 'reaction.first_job_ms', unit: 'ms' },
    { id: 'reaction.bare_first_job_ms', unit: 'ms' },
    { id: 'reaction.first_job_ratio', unit: 'ratio' },
  ],
  run: async (context) => {
    const handle = await clusterUp({ name: CLUSTER, progress: context.say });
    const stage = openStage({ kind: 'embedded', cluster: CLUSTER, kubeconfig: handle.kubeconfigOutside });
    try {
      await measure(stage, context);
    } finally {
      await stage.close();
      await clusterDown(CLUSTER, context.say);
    }
  },
});

async function measure(stage: Stage, { record, say, signal }: BenchContext): Promise<void> {
  await installOperator(stage);
  const tenant = await openTenant(stage, 'reaction');
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
  await tenant.close();
}

async function runOurs(
  stage: Stage,
  tenant: Tenant,
  pool: PoolOfTest,
): Promise<{ writtenMs: number; firstJobMs: number }> {
  const addedAt = Date.now();
  const ids = await pool.jobs.add({ jobs: JOBS, minMs: 200, maxMs: 200 });
  await pool.jobs.untilDone(ids, 60_000);
  const { firstStartedAt } = await pool.jobs.outcome(ids);
  const written = tenant.history.of('ours').find(({ at, replicas }) => at >= addedAt && replicas > 0);
  if (written === undefined) throw new Error('the jobs were done, and the watch saw no replicas');
  await untilGone(stage, pool.ref);
  return { writtenMs: written.at - addedAt, firstJobMs: firstStartedAt - addedAt };
}

const untilGone = (stage: Stage, ref: Readonly<{ namespace: string; name: string }>): Promise<true> =>
  until(async () => (await readPods(stage, ref)).length === 0, {
    what: `${ref.name} has no pod`,
    limitMs: 60_000,
    everyMs: 100,
  });

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
