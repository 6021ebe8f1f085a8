import { Companions } from '../act/companions.ts';
import { Cordoner } from '../act/cordon.ts';
import { Drainer } from '../act/drain.ts';
import { Reporter } from '../act/report.ts';
import { GROUP_VERSION, KIND } from '../api/names.ts';
import { keyOf, refOf } from '../kube/resources.ts';
import { createController } from '../loop/controller.ts';
import { createLoopMetrics } from '../loop/metrics.ts';
import type { Priority } from '../loop/workqueue.ts';
import { OperatorChecks } from '../observe/dependencies/operator-checks.ts';
import { SupabaseChecker } from '../observe/dependencies/supabase.ts';
import { DeploymentBesideReader } from '../observe/deployment-beside.ts';
import { Endings } from '../observe/endings.ts';
import { factsOf } from '../observe/queue/depth.ts';
import { RedisAccessRegistry } from '../observe/queue/redis-access.ts';
import { PrometheusSource } from '../observe/prometheus-source.ts';
import { PrometheusClient } from '../observe/queue/prometheus-client.ts';
import { PoolTokens } from '../observe/pool-token.ts';
import { RedisSecretReader } from '../observe/redis-secret.ts';
import { SecretCache } from '../observe/secret-cache.ts';
import { HealthWatch } from '../observe/replicas/health-watch.ts';
import { Scraper } from '../observe/replicas/scrape.ts';
import { ReplicaWitness } from '../observe/replicas/witness.ts';
import { QueueDirectory } from '../observe/rivals.ts';
import { UrlMarks } from '../observe/url-digest.ts';
import { PoolPass } from '../pool-pass.ts';
import { type Enqueue, watchCluster } from '../watch-cluster.ts';
import type { Kube } from './connect.ts';

const now = (): number => Date.now();
/** What a pass failed on may be over long before anything tells of it. */
const LONGEST_BACKOFF_MS = 30_000;
const RESYNC_MS = 10 * 60_000;

export type Sources = ReturnType<typeof sourcesOf>;
export type Built = ReturnType<typeof build>;

/** Who is asked beside the queue's Redis: replicas, Prometheus servers, Supabase, and Secrets for the ways to them. */
function sourcesOf({ grants, client, election, health }: Kube, onNews: Enqueue) {
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
    secrets: new RedisSecretReader(secretCache, grants),
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
function actorsOf(kube: Kube, { tokens, cordoner }: Sources) {
  const { client, log, crowd } = kube;
  const reporter = reporterOf(kube);
  return {
    reporter,
    drainer: new Drainer({ client, cordoner, log, now, onStaleToken: (poolKey) => tokens.hurry(poolKey) }),
    companions: new Companions({
      client,
      now,
      onToken: (poolKey) => tokens.forget(poolKey),
      crowded: () => crowd.isThere(),
      onRefused: (pool, because) => reporter.refused(pool, because),
    }),
  };
}

/** The rooms of one pass, and the queue that starts it. */
export function build(kube: Kube) {
  const { config, client, log, registry, poolMetrics, ownWrites, election } = kube;
  const enqueue = (key: string, priority?: Priority): void => controller.enqueue(key, priority);
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
    crowded: () => kube.crowd.isThere(),
    ...actorsOf(kube, sources),
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
    crowd: kube.crowd,
  });
  return { cluster, redis, sources, controller };
}
