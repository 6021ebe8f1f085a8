import { collectDefaultMetrics, Registry } from 'prom-client';
import { Reporter } from './act/report.ts';
import { GROUP_VERSION, KIND, POOL_LABEL } from './api/names.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { serveHttp } from './http/server.ts';
import { createKubeClient } from './kube/client.ts';
import { credentialsFromKubeConfig } from './kube/credentials.ts';
import { createEventRecorder } from './kube/events.ts';
import { createLeaderElector } from './kube/lease.ts';
import { createKubeMetrics } from './kube/metrics.ts';
import { OptionalReflector } from './kube/optional-reflector.ts';
import { createReflector } from './kube/reflector.ts';
import { deployments as deploymentType, keyOf, type ObjectRef, pods as podType, refOf } from './kube/resources.ts';
import { checkServerVersion } from './kube/server-version.ts';
import type { Change } from './kube/store.ts';
import { createTransport } from './kube/transport.ts';
import { createController } from './loop/controller.ts';
import { type Component, createManager } from './loop/manager.ts';
import { createLoopMetrics } from './loop/metrics.ts';
import { createOwnWrites } from './loop/own-writes.ts';
import {
  type AutoscalerObject,
  hpaType,
  projectHpa,
  projectScaledObject,
  scaledObjectType,
  TARGET_INDEX,
  targetIndex,
} from './observe/autoscalers.ts';
import { poolType, projectDeployment, projectPod, projectPool } from './observe/cluster.ts';
import { DeploymentBesideReader } from './observe/deployment-beside.ts';
import { RedisAccessRegistry } from './observe/queue/redis-access.ts';
import { PrometheusSource } from './observe/prometheus-source.ts';
import { PrometheusClient } from './observe/queue/prometheus-client.ts';
import { RedisSecretReader } from './observe/redis-secret.ts';
import { SecretCache } from './observe/secret-cache.ts';
import { Scraper } from './observe/replicas/scrape.ts';
import { QUEUE_INDEX, QueueDirectory, queueIndex } from './observe/rivals.ts';
import { UrlMarks } from './observe/url-digest.ts';
import { PoolPass } from './pool-pass.ts';
import { createLog } from './telemetry/log.ts';
import { createPoolMetrics } from './telemetry/metrics.ts';

const now = (): number => Date.now();
/** What a pass failed on may be over long before anything tells of it. */
const LONGEST_BACKOFF_MS = 30_000;
const RESYNC_MS = 10 * 60_000;

/** The one trouble at the start that a person has to end. */
const NOT_INSTALLED = `the definition of ${KIND} is not installed: kubectl apply --server-side -f crds/`;
/** The first in which the rules of the resource (CEL) are final: kubernetes.io/blog/2023/12/13/kubernetes-v1-29-release. */
const OLDEST_KUBERNETES = { major: 1, minor: 29 };

type Kube = ReturnType<typeof connect>;
type Enqueue = (poolKey: string) => void;

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
  });
  const transport = createTransport({
    credentials,
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
  return { config, log, registry, metrics, poolMetrics, election, transport, ownWrites, client, recorder };
}

/** The stores of what the operator reads; each change asks for a pass over its pool. */
function watchCluster({ config, transport, log, metrics, ownWrites }: Kube, enqueue: Enqueue) {
  const common = { transport, log, metrics, namespaces: config.WATCH_NAMESPACES };
  const ofPools = {
    ...common,
    labelSelector: POOL_LABEL,
    indexes: { pool: (item: { pool: string }) => [item.pool] },
    onChange: (change: { previous?: { pool: string } | undefined; current?: { pool: string } | undefined }) => {
      const changed = change.current ?? change.previous;
      if (changed !== undefined) enqueue(changed.pool);
    },
  };
  const pools = createReflector({
    ...common,
    type: poolType,
    ...(config.POOL_SELECTOR === undefined ? {} : { labelSelector: config.POOL_SELECTOR }),
    unknownType: NOT_INSTALLED,
    project: projectPool,
    indexes: { [QUEUE_INDEX]: queueIndex },
    onChange: ({ previous, current }) => {
      const changed: ObjectRef | undefined = current ?? previous;
      // A status write changes no intent: it starts no pass.
      if (changed !== undefined && previous?.intentKey !== current?.intentKey) enqueue(keyOf(changed));
    },
  });
  const deployments = createReflector({ ...ofPools, type: deploymentType, project: projectDeployment });
  const pods = createReflector({ ...ofPools, type: podType, project: projectPod });
  for (const reflector of [pools, deployments, pods]) ownWrites.watch(reflector);
  const ofAutoscalers = {
    ...common,
    indexes: { [TARGET_INDEX]: targetIndex },
    onChange: ({ previous, current }: Change<AutoscalerObject>) => {
      // Its own status changes every few seconds.
      if (previous?.target === current?.target) return;
      for (const { target } of [previous, current].filter((each) => each !== undefined)) {
        if (target !== undefined && pools.store.get(target) !== undefined) enqueue(target);
      }
    },
  };
  const hpas = createReflector({ ...ofAutoscalers, type: hpaType, project: projectHpa });
  const scaledObjects = new OptionalReflector({
    ...ofAutoscalers,
    type: scaledObjectType,
    project: projectScaledObject,
  });
  return { pools, deployments, pods, hpas, scaledObjects };
}

/** Who is asked beside Redis: replicas, Prometheus servers, and Secrets for the way to both. */
function sourcesOf({ config, client }: Kube) {
  const secretCache = new SecretCache({ client, now });
  const account = `${config.POD_NAMESPACE}:${config.SERVICE_ACCOUNT}`;
  const prometheusClient = new PrometheusClient({ now });
  return {
    scraper: new Scraper({ now }),
    prometheusClient,
    secrets: new RedisSecretReader(secretCache, { role: config.SECRETS_ROLE, account }),
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

/** The rooms of one pass, and the queue that starts it. */
function build(kube: Kube) {
  const { config, client, log, registry, poolMetrics, ownWrites, election } = kube;
  const enqueue: Enqueue = (key) => controller.enqueue(key);
  const cluster = watchCluster(kube, enqueue);
  const redis = new RedisAccessRegistry({
    now,
    logger: log,
    onWake: (key) => pass.wake(key),
    onCommands: (key, commands) => poolMetrics.redisCommands(refOf(key), commands),
  });
  const { scraper, prometheusClient, secrets, prometheus } = sourcesOf(kube);
  const pass = new PoolPass({
    gather: {
      now,
      client,
      ...cluster,
      redis,
      scraper,
      prometheus,
      secrets,
      queues: new QueueDirectory(),
      autoscalers: [cluster.hpas.store, cluster.scaledObjects],
      deploymentsBeside: new DeploymentBesideReader({ client, now }),
      urlMarks: new UrlMarks(),
      epoch: () => election.epoch(),
    },
    client,
    now,
    enqueue,
    crowded: () => controller.crowded(),
    reporter: reporterOf(kube),
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
  return { cluster, redis, scraper, prometheusClient, controller };
}

/** In the order in which they start; they stop in the opposite one. */
function componentsOf(
  kube: Kube,
  { cluster, redis, scraper, prometheusClient, controller }: ReturnType<typeof build>,
): readonly Component[] {
  const reflectors = [cluster.pools, cluster.deployments, cluster.pods, cluster.hpas];
  const unsynced = (): string | undefined => {
    const missing = cluster.pools.trouble();
    // It can be taken away from under an operator that has read everything, and is then the only news.
    if (missing?.startsWith(NOT_INSTALLED) === true) return missing;
    const waiting = reflectors.find((reflector) => !reflector.synced());
    return waiting === undefined ? undefined : (waiting.trouble() ?? `the ${waiting.type.plural} were not read yet`);
  };
  const probes = { alive: () => controller.problem() ?? kube.election.problem(), ready: unsynced };
  const http = serveHttp.bind(undefined, { port: kube.config.PORT, registry: kube.registry, probes });
  let closeHttp = async (): Promise<void> => {};
  return [
    {
      name: 'http',
      start: async () => {
        closeHttp = (await http()).close;
      },
      stop: () => closeHttp(),
    },
    {
      name: 'version of the API server',
      start: async (signal) => void (await checkServerVersion(kube.transport, OLDEST_KUBERNETES, signal)),
    },
    { name: 'events', start: () => {}, stop: () => kube.recorder.stop() },
    { name: 'queues', start: () => {}, stop: () => redis.close() },
    { name: 'replicas', start: () => {}, stop: () => scraper.close() },
    { name: 'Prometheus', start: () => {}, stop: () => prometheusClient.close() },
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
