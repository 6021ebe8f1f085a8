import { collectDefaultMetrics, Registry } from 'prom-client';
import { Companions } from './act/companions.ts';
import { Cordoner } from './act/cordon.ts';
import { Drainer } from './act/drain.ts';
import { Reporter } from './act/report.ts';
import { GROUP_VERSION, KIND } from './api/names.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { serveHttp } from './http/server.ts';
import { createKubeClient } from './kube/client.ts';
import { type CredentialSource, credentialsFromKubeConfig } from './kube/credentials.ts';
import { createEventRecorder } from './kube/events.ts';
import { createLeaderElector } from './kube/lease.ts';
import { createKubeMetrics } from './kube/metrics.ts';
import { keyOf, refOf } from './kube/resources.ts';
import { checkServerVersion } from './kube/server-version.ts';
import { createTransport } from './kube/transport.ts';
import { createController } from './loop/controller.ts';
import { type Component, createManager } from './loop/manager.ts';
import { createLoopMetrics } from './loop/metrics.ts';
import { createOwnWrites } from './loop/own-writes.ts';
import { OperatorChecks } from './observe/dependencies/operator-checks.ts';
import { SupabaseChecker } from './observe/dependencies/supabase.ts';
import { DeploymentBesideReader } from './observe/deployment-beside.ts';
import { Endings } from './observe/endings.ts';
import { factsOf } from './observe/queue/depth.ts';
import { RedisAccessRegistry } from './observe/queue/redis-access.ts';
import { PrometheusSource } from './observe/prometheus-source.ts';
import { PrometheusClient } from './observe/queue/prometheus-client.ts';
import { PoolTokens } from './observe/pool-token.ts';
import { RedisSecretReader } from './observe/redis-secret.ts';
import { SecretCache } from './observe/secret-cache.ts';
import { Grants } from './observe/rights.ts';
import { HealthClient } from './observe/replicas/health-client.ts';
import { ProxiedHealthClient } from './observe/replicas/health-proxy.ts';
import { type HealthAsker, HealthWatch } from './observe/replicas/health-watch.ts';
import { Scraper } from './observe/replicas/scrape.ts';
import { ReplicaWitness } from './observe/replicas/witness.ts';
import { QueueDirectory } from './observe/rivals.ts';
import { UrlMarks } from './observe/url-digest.ts';
import { PoolPass } from './pool-pass.ts';
import { createLog } from './telemetry/log.ts';
import { createPoolMetrics } from './telemetry/metrics.ts';
import { type Enqueue, NOT_INSTALLED, watchCluster } from './watch-cluster.ts';

const now = (): number => Date.now();
/** What a pass failed on may be over long before anything tells of it. */
const LONGEST_BACKOFF_MS = 30_000;
const RESYNC_MS = 10 * 60_000;

/** The first in which the rules of the resource (CEL) are final: kubernetes.io/blog/2023/12/13/kubernetes-v1-29-release. */
const OLDEST_KUBERNETES = { major: 1, minor: 29 };

const grantsOf = ({ SECRETS_ROLE, POD_NAMESPACE, SERVICE_ACCOUNT, WATCH_NAMESPACES }: Config): Grants =>
  new Grants({
    secretsRole: SECRETS_ROLE,
    account: `${POD_NAMESPACE}:${SERVICE_ACCOUNT}`,
    watchNamespaces: WATCH_NAMESPACES,
  });

type Kube = ReturnType<typeof connect>;

/** The ways to the API server, and who may write. */
function connect(config: Config) {
  const log = createLog(config.LOG_LEVEL);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = createKubeMetrics(registry);
  const poolMetrics = createPoolMetrics(registry);
  const credentials = credentialsFromKubeConfig();
  // The audit log of the API server then tells the processes apart.
  const userAgent = `agent-worker-pool/${config.POD_NAME.replaceAll(/[^\w.-]/g, '_')}`;
  const election = createLeaderElector({
    credentials,
    namespace: config.POD_NAMESPACE,
    name: config.LEASE_NAME,
    identity: config.POD_NAME,
    durationMs: config.LEASE_DURATION_SECONDS,
    renewMs: config.LEASE_DURATION_SECONDS / 3,
    log,
    metrics,
    userAgent,
    cureOfMissingRight: grantsOf(config).ofRoles,
  });
  const transport = createTransport({
    credentials,
    cureOfMissingRight: (right) => grantsOf(config).of(right),
    metrics,
    log,
    userAgent,
    limits: { rate: { perSecond: config.KUBE_API_QPS, burst: config.KUBE_API_BURST } },
    beforeWrite: () => election.assertLeader(),
  });
  const ownWrites = createOwnWrites({ log });
  const client = createKubeClient({ transport, onWritten: ownWrites.onWritten });
  const recorder = createEventRecorder({
    client,
    controller: 'agentpool.dev/operator',
    instance: config.POD_NAME,
    log,
    metrics,
  });
  const health = healthAsker(config, { credentials, userAgent });
  return { config, log, registry, metrics, poolMetrics, election, transport, ownWrites, client, recorder, health };
}

/** Connections of their own: replicas that hang must not keep the operator from writing. */
function healthAsker(
  config: Config,
  { credentials, userAgent }: Readonly<{ credentials: CredentialSource; userAgent: string }>,
): HealthAsker {
  if (config.REPLICA_HEALTH_THROUGH === 'PodAddress') return new HealthClient(now);
  const rate = { perSecond: config.KUBE_API_QPS, burst: config.KUBE_API_BURST };
  const limits = { rate, connections: 64, retries: 0, maxResponseBytes: 65_536 };
  return new ProxiedHealthClient({ transport: createTransport({ credentials, userAgent, limits }), now });
}

/** Who is asked beside the queue's Redis: replicas, Prometheus servers, Supabase, and Secrets for the ways to them. */
function sourcesOf({ config, client, election, health }: Kube, onNews: Enqueue) {
  const secretCache = new SecretCache({ client, now });
  const prometheusClient = new PrometheusClient({ now });
  return {
    scraper: new Scraper({ now }),
    endings: new Endings({ now }),
    witness: new ReplicaWitness({ now }),
    tokens: new PoolTokens(secretCache),
    /** Only a leader tells replicas anything. */
    cordoner: new Cordoner({ now, mayAct: () => election.isLeader() }),
    health: new HealthWatch({ client: health, onNews, now }),
    checks: new OperatorChecks({ now, secrets: secretCache, supabase: new SupabaseChecker(), onNews }),
    prometheusClient,
    secrets: new RedisSecretReader(secretCache, grantsOf(config)),
    prometheus: new PrometheusSource(prometheusClient, secretCache),
  };
}

/** Who tells of decisions: log, metrics and events about the pool. */
const reporterOf = ({ log, poolMetrics, recorder }: Kube): Reporter =>
  new Reporter({
    log,
    metrics: poolMetrics,
    record: ({ namespace, name, uid }, event) =>
      recorder.record({ ...event, regarding: { apiVersion: GROUP_VERSION, kind: KIND, namespace, name, uid } }),
  });

/** What a decision is carried out by, and told by. */
function actorsOf(kube: Kube, { tokens, cordoner }: ReturnType<typeof sourcesOf>, crowded: () => boolean) {
  const { client, log } = kube;
  const reporter = reporterOf(kube);
  return {
    reporter,
    drainer: new Drainer({ client, cordoner, log, now, onStaleToken: (poolKey) => tokens.hurry(poolKey) }),
    companions: new Companions({
      client,
      now,
      onToken: (poolKey) => tokens.forget(poolKey),
      crowded,
      onRefused: (pool, because) => reporter.refused(pool, because),
    }),
  };
}

/** The rooms of one pass, and the queue that starts it. */
function build(kube: Kube) {
  const { config, client, log, registry, poolMetrics, ownWrites, election } = kube;
  const enqueue: Enqueue = (key) => controller.enqueue(key);
  const sources = sourcesOf(kube, enqueue);
  const cluster = watchCluster({ ...kube, endings: sources.endings }, enqueue);
  const redis = new RedisAccessRegistry({
    now,
    logger: log,
    onWake: (key) => pass.wake(key),
    onNews: enqueue,
    onRead: (key, depth, at) => poolMetrics.queues.renew(refOf(key), factsOf(depth, at)),
    onCommands: (key, commands) => poolMetrics.redisCommands(refOf(key), commands),
  });
  const crowded = () => controller.crowded();
  const pass = new PoolPass({
    gather: {
      now,
      client,
      ...cluster,
      redis,
      ...sources,
      random: Math.random,
      queues: new QueueDirectory(enqueue),
      autoscalers: [cluster.hpas.store, cluster.scaledObjects],
      deploymentsBeside: new DeploymentBesideReader({ client, now }),
      urlMarks: new UrlMarks(),
      epoch: () => election.epoch(),
    },
    client,
    now,
    enqueue,
    crowded,
    ...actorsOf(kube, sources, crowded),
  });
  const controller = createController({
    name: 'pool',
    concurrency: config.CONCURRENT_PASSES,
    reconcile: async (key, signal) => ({ recheckAfterMs: await pass.run(key, signal) }),
    ownWrites,
    backoff: { baseMs: 50, maxMs: LONGEST_BACKOFF_MS },
    resync: { everyMs: RESYNC_MS, keys: () => cluster.pools.store.list().map(keyOf) },
    log,
    metrics: createLoopMetrics(registry),
  });
  return { cluster, redis, sources, controller };
}

function httpOf({ config, registry }: Kube, probes: Parameters<typeof serveHttp>[0]['probes']): Component {
  let close = async (): Promise<void> => {};
  return {
    name: 'http',
    start: async () => {
      close = (await serveHttp({ port: config.PORT, registry, probes })).close;
    },
    stop: () => close(),
  };
}

const versionCheck = ({ transport }: Kube): Component => ({
  name: 'version of the API server',
  start: async (signal) => void (await checkServerVersion(transport, OLDEST_KUBERNETES, signal)),
});

const closeReplicas = async ({ scraper, health, witness, cordoner }: ReturnType<typeof sourcesOf>): Promise<void> =>
  void (await Promise.all([scraper, health, witness, cordoner].map((one) => one.close())));

/** In the order in which they start; they stop in the opposite one. */
function componentsOf(
  kube: Kube,
  { cluster, redis, sources, controller }: ReturnType<typeof build>,
): readonly Component[] {
  const reflectors = [cluster.pools, cluster.deployments, cluster.pods, cluster.replicaSets, cluster.hpas];
  const unsynced = (): string | undefined => {
    const missing = cluster.pools.trouble();
    // It can be taken away from under an operator that has read everything, and is then the only news.
    if (missing?.startsWith(NOT_INSTALLED) === true) return missing;
    const waiting = reflectors.find((reflector) => !reflector.synced());
    return waiting === undefined ? undefined : (waiting.trouble() ?? `the ${waiting.type.plural} were not read yet`);
  };
  const probes = { alive: () => controller.problem() ?? kube.election.problem(), ready: unsynced };
  return [
    httpOf(kube, probes),
    versionCheck(kube),
    { name: 'events', start: () => {}, stop: () => kube.recorder.stop() },
    { name: 'queues', start: () => {}, stop: () => redis.close() },
    {
      name: 'replicas',
      start: () => {},
      stop: () => closeReplicas(sources),
    },
    { name: 'Prometheus', start: () => {}, stop: () => sources.prometheusClient.close() },
    { name: 'dependencies', start: () => {}, stop: () => sources.checks.close() },
    ...reflectors.map((reflector) => ({
      name: `watch of ${reflector.type.plural}`,
      start: (signal: AbortSignal) => reflector.start(signal),
      stop: () => reflector.stop(),
    })),
    {
      name: 'watch of scaledobjects',
      start: (signal: AbortSignal) => cluster.scaledObjects.start(signal),
      stop: () => cluster.scaledObjects.stop(),
    },
    // A new leader reads consistently before it decides anything.
    {
      name: 'consistent read',
      leaderOnly: true,
      start: async () => {
        await Promise.all(reflectors.map((reflector) => reflector.refresh()));
      },
    },
    { name: 'passes', leaderOnly: true, start: () => controller.start(), stop: () => controller.stop() },
  ];
}

/** Runs until SIGTERM, a failure or a lost lease. Resolves with the exit code. */
async function run(config: Config): Promise<number> {
  const kube = connect(config);
  const { log, election, poolMetrics } = kube;
  const components = componentsOf(kube, build(kube));
  const manager = createManager({
    log,
    election,
    components,
    process,
    exitNow: (code) => process.exit(code),
    onUnhandled: () => poolMetrics.unhandledErrors.inc(),
  });
  return manager.run();
}

try {
  // A connection that hangs must not keep a process alive that has given its lease back.
  process.exit(await run(readConfig(process.env)));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
