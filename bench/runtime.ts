import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundle } from '../scripts/bundle.ts';
import { clusterDown, clusterUp } from '../test/cluster/cluster.ts';
import { until } from '../test/cluster/until.ts';
import { type Api, connect, installCrd, readManifests } from '../test/contract/api-server.ts';
import { installRights, kubeconfigOf } from '../test/fixtures/operators/account.ts';
import { type Asked, isWrite, readAudit } from '../test/fixtures/operators/audit-log.ts';
import { OperatorProcess } from '../test/fixtures/operators/process.ts';
import { startRedis } from '../test/fixtures/redis.ts';
import { type BenchContext, defineBench } from './harness.ts';
import { addIdlePools, addLargePods, forgetApplied, removeLargePods } from './runtime/load.ts';
import { cpuMs, peakRssMb, rssMb } from './runtime/proc.ts';

const CLUSTER = 'bench-runtime';
const RUNS = 3;
const PODS = 5_000;
const POOLS = 1_000;
const IDLE_WINDOW_MS = 60_000;
const LIMIT_MS = 480_000;

/**
 * What the operator costs, and how fast another one takes over: the bundle that is shipped, as a process of this
 * machine, with Node's options of `deploy/base`, against the embedded cluster.
 *
 * `list_*`: while it starts and reads 5,000 pods of about 8 KB; the peak is that of the whole process, the stall the
 * longest delay of its event loop. `idle_*`: the leader of 1,000 pools at zero with empty queues; requests are those of
 * the API server's audit log, the lease and watches that begin among them. `burst_1000_keys_s`: from the lease until
 * every pool had its first pass, which applies its Deployment, since no status says that it is as it was applied;
 * `known_*`: the same where each says so, as a new leader finds them, and the writes to Deployments meanwhile.
 * `handover_*`: from the signal until the other process has read everything again and starts its passes, with a lease
 * of 15 s and these pools.
 */
export const bench = defineBench({
  name: 'runtime',
  figures: [
    { id: 'runtime.list_peak_rss_mb', unit: 'MiB' },
    { id: 'runtime.list_longest_stall_ms', unit: 'ms' },
    { id: 'runtime.list_s', unit: 's' },
    { id: 'runtime.idle_requests_per_min', unit: '1/min' },
    { id: 'runtime.idle_cpu_percent', unit: '% of a core' },
    { id: 'runtime.idle_rss_mb', unit: 'MiB' },
    { id: 'runtime.burst_1000_keys_s', unit: 's' },
    { id: 'runtime.known_1000_keys_s', unit: 's' },
    { id: 'runtime.known_deployment_writes', unit: 'requests' },
    { id: 'runtime.handover_sigterm_ms', unit: 'ms' },
    { id: 'runtime.handover_kill_ms', unit: 'ms' },
  ],
  run: async (context) => {
    const handle = await clusterUp({ name: CLUSTER, progress: context.say, options: { audit: true } });
    const folder = await mkdtemp(join(tmpdir(), 'awp-bench-'));
    const redis = await startRedis();
    process.env['AWP_KUBECONFIG'] = handle.kubeconfigOutside;
    const api = connect();
    const started: OperatorProcess[] = [];
    try {
      const { files } = await bundle('operator', folder);
      await installCrd(api);
      await installRights(api);
      const kubeconfig = await kubeconfigOf(api, 'agent-worker-pool');
      const start = async (): Promise<OperatorProcess> => {
        const options = { name: `bench-${started.length}`, kubeconfig, leaseName: 'bench', folder };
        const program = [...(await shippedOptions()), files[0] ?? ''];
        const operator = await OperatorProcess.start({ ...options, program, env: { LOG_LEVEL: 'info' } });
        started.push(operator);
        return operator;
      };
      await measureList({ api, start, ...context });
      await addIdlePools(api, { count: POOLS, redisUrl: redis.url });
      context.say(`${POOLS} idle pools are made`);
      await measureIdle({ api, start, ...context });
      await measureBurst({ api, start, ...context });
      await measureHandover({ api, start, ...context });
    } finally {
      await Promise.all(started.map((operator) => operator.end()));
      await api.close();
      await redis.stop();
      await rm(folder, { recursive: true, force: true });
      await clusterDown(CLUSTER, context.say);
    }
  },
});

type Shipped = Readonly<{ template: { spec: { containers: { env: { name: string; value?: string }[] }[] } } }>;

/** The options of Node that `deploy/base` gives the operator. */
async function shippedOptions(): Promise<readonly string[]> {
  const [deployment] = await readManifests('deploy/base/deployment.yaml');
  if (!deployment) throw new Error('deploy/base has no Deployment');
  const [container] = (deployment['spec'] as Shipped).template.spec.containers;
  return container?.env.find(({ name }) => name === 'NODE_OPTIONS')?.value?.split(' ') ?? [];
}

type Bed = BenchContext & Readonly<{ api: Api; start: () => Promise<OperatorProcess> }>;

async function measureList({ api, start, record, say, signal }: Bed): Promise<void> {
  await addLargePods(api, PODS);
  say(`${PODS} pods are made`);
  for (let run = 1; run <= RUNS; run++) {
    signal.throwIfAborted();
    const began = Date.now();
    const operator = await start();
    await operator.untilReady(LIMIT_MS);
    record('runtime.list_s', (Date.now() - began) / 1000);
    // The first scrape: the delay is the longest since the process began to measure it.
    const stallMs = (await operator.metric('nodejs_eventloop_lag_max_seconds ')) * 1000;
    const peakMb = peakRssMb(operator.pid);
    record('runtime.list_longest_stall_ms', stallMs);
    record('runtime.list_peak_rss_mb', peakMb);
    say(`list ${run} of ${RUNS}: peak ${Math.round(peakMb)} MiB, longest stall ${Math.round(stallMs)} ms`);
    await operator.end();
  }
  await removeLargePods(api, PODS);
}

const auditOf = ({ name }: OperatorProcess, from: number): Promise<readonly Asked[]> =>
  readAudit(CLUSTER, ({ by, receivedAt }) => by === name && receivedAt >= from);

/** It has written all that there is to write. */
async function untilCalm(operator: OperatorProcess): Promise<void> {
  const calmMs = 10_000;
  await until(
    async () => {
      const recent = await auditOf(operator, Date.now() - calmMs);
      return recent.every(({ resource }) => resource === 'leases') && recent.length > 0;
    },
    { what: 'the operator has nothing left to write', limitMs: LIMIT_MS, everyMs: 2_000 },
  );
}

async function measureIdle({ start, record, say, signal }: Bed): Promise<void> {
  const operator = await start();
  await operator.untilLeader(LIMIT_MS);
  await untilCalm(operator);
  for (let run = 1; run <= RUNS; run++) {
    signal.throwIfAborted();
    const [from, cpuBefore] = [Date.now(), cpuMs(operator.pid)];
    await sleep(IDLE_WINDOW_MS, undefined, { signal });
    const minutes = (Date.now() - from) / 60_000;
    const requests = (await auditOf(operator, from)).length / minutes;
    const cpu = ((cpuMs(operator.pid) - cpuBefore) / (minutes * 60_000)) * 100;
    const mb = rssMb(operator.pid);
    record('runtime.idle_requests_per_min', requests);
    record('runtime.idle_cpu_percent', cpu);
    record('runtime.idle_rss_mb', mb);
    say(
      `idle ${run} of ${RUNS}: ${requests.toFixed(1)} requests/min, ${cpu.toFixed(1)} % of a core, ${Math.round(mb)} MiB`,
    );
  }
  operator.signal('SIGTERM');
  await operator.ended();
}

async function measureBurst({ api, start, record, say, signal }: Bed): Promise<void> {
  for (let run = 1; run <= RUNS; run++) {
    signal.throwIfAborted();
    await forgetApplied(api, POOLS);
    const applying = await firstPasses(await start());
    record('runtime.burst_1000_keys_s', applying.seconds);
    const known = await firstPasses(await start());
    record('runtime.known_1000_keys_s', known.seconds);
    record('runtime.known_deployment_writes', known.deploymentWrites);
    const tell = ({ seconds, deploymentWrites }: typeof applying) =>
      `${seconds.toFixed(1)} s, ${deploymentWrites} writes to Deployments`;
    say(`burst ${run} of ${RUNS}: ${tell(applying)}; of known Deployments ${tell(known)}`);
  }
}

/** From the lease until every pool had its first pass; the writes are those until it has nothing left to write. */
async function firstPasses(operator: OperatorProcess): Promise<{ seconds: number; deploymentWrites: number }> {
  await operator.untilLeader(LIMIT_MS);
  const ledAt = operator.saidAt('this process is the leader') ?? Number.NaN;
  await until(async () => (await operator.metric('controller_runtime_reconcile_total')) >= POOLS, {
    what: 'every pool had a pass',
    limitMs: LIMIT_MS,
    everyMs: 100,
  });
  const seconds = (Date.now() - ledAt) / 1000;
  await untilCalm(operator);
  const asked = await auditOf(operator, ledAt);
  operator.signal('SIGTERM');
  await operator.ended();
  return { seconds, deploymentWrites: asked.filter((one) => one.resource === 'deployments' && isWrite(one)).length };
}

async function measureHandover({ start, record, say, signal }: Bed): Promise<void> {
  let leader = await start();
  await leader.untilLeader(LIMIT_MS);
  await untilCalm(leader);
  for (let run = 1; run <= 2 * RUNS; run++) {
    signal.throwIfAborted();
    const by = run % 2 === 0 ? 'SIGKILL' : 'SIGTERM';
    const standby = await start();
    await standby.untilReady(LIMIT_MS);
    const at = Date.now();
    leader.signal(by);
    await standby.untilLeader(LIMIT_MS);
    const ms = (standby.saidAt('started') ?? Number.NaN) - at;
    record(by === 'SIGKILL' ? 'runtime.handover_kill_ms' : 'runtime.handover_sigterm_ms', ms);
    say(`hand-over after ${by}: ${ms} ms`);
    await leader.end();
    leader = standby;
    await untilCalm(leader);
  }
}
