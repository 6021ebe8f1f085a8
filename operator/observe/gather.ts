import type { Pool } from '../api/parse.ts';
import { deploymentBeside } from '../core/beside.ts';
import { type Known, known, type Millis, unknown } from '../core/known.ts';
import type { ScaleMemory } from '../core/scale-memory.ts';
import type { DeploymentView, PoolState, RedisAccess, ReplicaView } from '../core/state.ts';
import type { KubeClient } from '../kube/client.ts';
import { messageOf } from '../kube/log.ts';
import type { Reflector } from '../kube/reflector.ts';
import { deployments as deploymentType, keyOf } from '../kube/resources.ts';
import { type AutoscalerStore, findAutoscalers } from './autoscalers.ts';
import { type DeploymentObject, type PoolObject, projectDeployment, type ReplicaSetObject } from './cluster.ts';
import type { OperatorChecks } from './dependencies/operator-checks.ts';
import type { PodObject } from './pods.ts';
import type { PrometheusSource } from './prometheus-source.ts';
import type { DeploymentBesideReader } from './deployment-beside.ts';
import { type DrainParts, lookAtDrain } from './drain-facts.ts';
import type { Endings } from './endings.ts';
import type { DepthReading, QueueDepth } from './queue/depth.ts';
import type { PoolRedis } from './queue/pool-redis.ts';
import type { RedisAccessRegistry } from './queue/redis-access.ts';
import { readSettled } from './queue/settled.ts';
import { type QueueQuestion, type QueueReading, readQueue } from './queue/source.ts';
import type { RedisSecretReader } from './redis-secret.ts';
import type { HealthTarget } from './replicas/health-client.ts';
import type { HealthWatch } from './replicas/health-watch.ts';
import type { Scraped, Scraper, ScrapeTarget } from './replicas/scrape.ts';
import { openWay, reopenWay, type Way } from './redis-way.ts';
import type { QueueDirectory } from './rivals.ts';
import type { UrlMarks } from './url-digest.ts';

export type GatherParts = DrainParts &
  Readonly<{
    now: () => Millis;
    client: KubeClient;
    pools: Pick<Reflector<PoolObject>, 'store'>;
    deploymentsBeside: DeploymentBesideReader;
    deployments: Pick<Reflector<DeploymentObject>, 'store' | 'synced'>;
    pods: Pick<Reflector<PodObject>, 'store' | 'synced'>;
    secrets: RedisSecretReader;
    redis: RedisAccessRegistry;
    scraper: Scraper;
    prometheus: PrometheusSource;
    urlMarks: UrlMarks;
    replicaSets: Pick<Reflector<ReplicaSetObject>, 'store' | 'synced'>;
    health: HealthWatch;
    endings: Pick<Endings, 'of'>;
    checks: OperatorChecks;
    random: () => number;
    queues: QueueDirectory;
    autoscalers: readonly AutoscalerStore[];
    /** The epoch of this leader. */
    epoch: () => string;
  }>;

export type GatherOptions = Readonly<{
  memory: ScaleMemory;
  /** An event of the queue started this pass: the gauges of the workers can be older than it. */
  woken: boolean;
  /** The last apply met a conflict: the Deployment is read, since one without our label is in no watch. */
  readDeployment: boolean;
}>;

/** Everything of one pool at one moment, and what arms the waking for the next one. */
export type Observation = Readonly<{
  state: PoolState;
  redis?: PoolRedis;
  tip?: string;
  /** All that Redis said of the queue, when it served. */
  depth?: QueueDepth;
  /** When to look again because Redis could not be asked now. */
  againInMs: Millis;
  /** When a Secret that this look is based on is to be read again. */
  secretsDueInMs: Millis;
  /** The pods that were looked at, in the versions that were looked at. */
  pods: readonly PodObject[];
  /** What the replicas ask for when they are told something. */
  token?: string;
}>;

/** The one place where a pool's state is put together. Never rejects: what cannot be read is unknown, with the reason. */
export async function gather(parts: GatherParts, pool: Pool, options: GatherOptions): Promise<Observation> {
  const key = keyOf(pool);
  const first = await openWay(parts, key, pool);
  const pods = parts.pods.store.byIndex('pool', key);
  const [deployment, scraped] = await Promise.all([
    viewDeployment(parts, pool, options.readDeployment),
    parts.scraper.scrape(targetsOf(pods), pool.spec.queue.name),
  ]);
  const { reading, way } = await readThroughSome(parts, { pool, first, scraped, woken: options.woken });
  const { opened } = way;
  const drain = await lookAtDrain(parts, {
    pool,
    pods,
    redis: opened.ok ? opened : undefined,
    queue: reading.queue,
    memory: options.memory,
  });
  const looked = { pool, pods, scraped, hurry: options.memory.health.waitsForReplica };
  await askRestarted(parts, looked);
  const now = parts.now();
  const state: PoolState = {
    now,
    pool,
    deployment,
    replicas: viewReplicas(parts, looked),
    replicaSets: viewReplicaSets(parts, key),
    checks: parts.checks.read({ pool, redis: opened, alert: options.memory.health.alert }),
    random: parts.random(),
    queue: reading.queue,
    redis: reading.redis,
    ...(await markOf(parts.urlMarks, way, { pool, deployment })),
    rivals: way.rivals,
    autoscalers: findAutoscalers(parts.autoscalers, pool),
    epoch: parts.epoch(),
    drain: drain.facts,
    endings: parts.endings.of(key),
    memory: options.memory,
  };
  return {
    state,
    ...(opened.ok ? { redis: opened } : {}),
    ...(reading.tip === undefined ? {} : { tip: reading.tip }),
    ...(reading.depth === undefined ? {} : { depth: reading.depth }),
    againInMs: reading.againInMs ?? Number.POSITIVE_INFINITY,
    secretsDueInMs: Math.min(parts.secrets.dueInMs(key), parts.tokens.dueInMs(key)),
    pods,
    ...(drain.token.value === undefined ? {} : { token: drain.token.value }),
  };
}

type Reading = Readonly<{ pool: Pool; first: Way; scraped: Scraped; woken: boolean }>;

/** Through the way that there is, or through a new one where that leads nowhere. */
async function readThroughSome(
  parts: GatherParts,
  { pool, first, scraped, woken }: Reading,
): Promise<Readonly<{ reading: QueueReading; way: Way }>> {
  const ask = (way: Way) => (): Promise<QueueReading> =>
    readThrough(way, {
      source: pool.spec.scaling.source,
      ...(scraped.queue === undefined ? {} : { scraped: scraped.queue }),
      fresh: woken,
      waiting: () => parts.prometheus.waitingOf(pool),
    });
  const reading = woken ? await readSettled(ask(first)) : await ask(first)();
  const again = reading.redis.ok
    ? undefined
    : await reopenWay(parts, first, { key: keyOf(pool), pool, redis: reading.redis });
  return again === undefined ? { reading, way: first } : { reading: await ask(again)(), way: again };
}

/** Asks the pool's source, and Redis through the pool's way. */
function readThrough({ opened }: Way, question: Omit<QueueQuestion, 'watching' | 'read' | 'access'>) {
  if (!opened.ok) {
    return readQueue({ ...question, read: () => Promise.resolve(unreadable(opened)), access: () => opened });
  }
  const watching = opened.isWatching();
  const fresh = question.fresh === true || !watching;
  return readQueue({
    ...question,
    watching,
    read: () => opened.read({ fresh }),
    access: () => opened.lastUse()?.access,
  });
}

async function markOf(
  marks: UrlMarks,
  { secret }: Way,
  { pool, deployment }: Pick<PoolState, 'pool' | 'deployment'>,
): Promise<Pick<PoolState, 'redisUrl'>> {
  if (secret === undefined) return {};
  const annotations = deployment.ok ? (deployment.value?.annotations ?? {}) : {};
  const { url, version } = secret;
  return { redisUrl: await marks.of({ url, version, salt: pool.uid, annotations }) };
}

const unreadable = (access: RedisAccess & { ok: false }): DepthReading => ({ depth: unknown(access.because), access });

async function viewDeployment(parts: GatherParts, pool: Pool, readIt: boolean): Promise<Known<DeploymentView | null>> {
  const beside = deploymentBeside(pool);
  if (beside !== undefined) return parts.deploymentsBeside.read({ namespace: pool.namespace, name: beside });
  const now = parts.now();
  if (!parts.deployments.synced()) return unknown('the Deployments were not listed yet');
  const cached = parts.deployments.store.get(keyOf(pool));
  if (cached !== undefined && !readIt) return known(cached.view, now);
  if (!readIt) return known(null, now);
  try {
    const raw = await parts.client.get(deploymentType, pool);
    return known(raw === undefined ? null : projectDeployment(raw).view, now);
  } catch (error) {
    return unknown(`the Deployment cannot be read: ${messageOf(error)}`);
  }
}

function targetsOf(pods: readonly PodObject[]): readonly (ScrapeTarget & HealthTarget)[] {
  return pods.flatMap(({ namespace, uid, name, address, port, ready, phase, terminating }) =>
    address === undefined || phase !== 'Running' || terminating
      ? []
      : [{ namespace, uid, name, ip: address, port, ready }],
  );
}

/** How often replicas are asked whether they reach what the operator reaches again. */
const HURRIED_MS = 1000;

type LookedAt = Readonly<{ pool: Pool; pods: readonly PodObject[]; scraped: Scraped; hurry: boolean }>;

/** From now on the replicas are asked for their health; what each said last. */
function followHealth({ health }: GatherParts, { pool, pods, hurry }: Omit<LookedAt, 'scraped'>) {
  const { intervalMs: calmMs, timeoutMs } = pool.spec.health;
  const intervalMs = hurry ? Math.min(calmMs, HURRIED_MS) : calmMs;
  return health.follow(keyOf(pool), targetsOf(pods), { intervalMs, timeoutMs });
}

/** One that is about to be restarted may have taken a job since it was asked. */
async function askRestarted(parts: GatherParts, looked: LookedAt): Promise<void> {
  const pending = looked.pool.status?.restarts?.pending;
  if (pending === undefined) return;
  followHealth(parts, looked);
  await parts.health.askNow(keyOf(looked.pool), pending.uid);
}

/** Each pod with what it said last. */
function viewReplicas(parts: GatherParts, looked: LookedAt): PoolState['replicas'] {
  const { pods: watch, now } = parts;
  const { pods, scraped } = looked;
  const said = followHealth(parts, looked);
  if (!watch.synced()) return unknown('the pods were not listed yet');
  const views = pods.map((pod) => viewReplica(pod, scraped, said.get(pod.uid)));
  return known(views, now());
}

function viewReplicaSets({ replicaSets, now }: GatherParts, key: string): PoolState['replicaSets'] {
  if (!replicaSets.synced()) return unknown('the ReplicaSets were not listed yet');
  const views = replicaSets.store.byIndex('pool', key).map(({ view }) => view);
  return known(views, now());
}

const viewReplica = (pod: PodObject, { reports }: Scraped, health: ReplicaView['health'] | undefined): ReplicaView => ({
  name: pod.name,
  uid: pod.uid,
  phase: pod.phase,
  ready: pod.ready,
  terminating: pod.terminating,
  createdAt: pod.createdAt,
  ...(pod.readyAt === undefined ? {} : { readyAt: pod.readyAt }),
  templateHash: pod.templateHash,
  labels: pod.labels,
  ...(pod.cannotStart === undefined ? {} : { cannotStart: pod.cannotStart }),
  resourceVersion: pod.resourceVersion,
  ...(pod.node === undefined ? {} : { node: pod.node }),
  ...(pod.scheduledAt === undefined ? {} : { scheduledAt: pod.scheduledAt }),
  ...(pod.unscheduledBecause === undefined ? {} : { unscheduledBecause: pod.unscheduledBecause }),
  disrupted: pod.disrupted,
  worker: pod.worker,
  health: health ?? unknown('it is not running'),
  ...(pod.mark === undefined ? {} : { mark: pod.mark }),
  ...(pod.foreignCost === undefined ? {} : { foreignCost: pod.foreignCost }),
  report: reports.get(pod.uid) ?? unknown(`replica ${pod.name} is not running`),
});
