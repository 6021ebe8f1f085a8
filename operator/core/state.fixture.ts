import type { Pool } from '../api/parse.ts';
import { known, type Millis } from './known.ts';
import { renderDeployment, templateKey } from './deployment.ts';
import type { Decision, Deletion } from './decision.ts';
import type { PoolEvent } from './pool-event.ts';
import { FIELD_MANAGER } from './corrections.ts';
import { firstMemory } from './memory.ts';
import type { ReplicaHealth } from './health/replica-health.ts';
import { workOf } from './restarts/restarts.fixture.ts';
import type { ReplicaWork } from './restarts/view.ts';
import type { DeploymentView, PoolState, QueueSnapshot, ReplicaSetView, ReplicaView } from './state.ts';

/** The leader that every test starts with. */
export const EPOCH = '0.first';

/** 2026-01-05T12:00:00Z, a Monday noon: every test starts here. */
export const NOON: Millis = 1_767_614_400_000;

export const samplePool = (over: Partial<Pool['spec']['scaling']> & { concurrency?: number } = {}): Pool => {
  const { concurrency = 5, ...scaling } = over;
  return {
    namespace: 'agents',
    name: 'agent-jobs',
    uid: 'pool-uid',
    generation: 1,
    resourceVersion: '10',
    createdAt: NOON - 3_600_000,
    annotations: {},
    spec: {
      mode: 'Auto',
      queue: {
        name: 'agent-jobs',
        prefix: 'bull',
        commandsPerMinute: 120,
        redisUrl: { secretName: 'env', key: 'REDIS_URL' },
      },
      workers: {
        concurrency,
        template: { spec: { containers: [{ name: 'worker', image: 'example.test/worker:1' }] } },
      },
      scaling: {
        minReplicas: 0,
        maxReplicas: 20,
        targetWaitMs: 30_000,
        source: 'Workers',
        scaleDownWindowMs: 60_000,
        scaleUpMaxPerMinute: 0,
        schedules: [],
        ...scaling,
      },
      health: {
        intervalMs: 10_000,
        timeoutMs: 2000,
        failureThreshold: 3,
        progressTimeoutMs: 120_000,
        redisMode: 'Required',
      },
      restarts: {
        policy: 'OnFailure',
        maxRetries: 3,
        backoffBaseMs: 10_000,
        backoffMaxMs: 300_000,
        resetAfterMs: 600_000,
      },
      drain: { timeoutMs: 900_000, onTimeout: 'Wait' },
    },
  };
};

export const queueOf = (over: Partial<QueueSnapshot> = {}): QueueSnapshot => ({
  ready: 0,
  active: 0,
  delayed: 0,
  failed: 0,
  paused: false,
  exists: true,
  source: 'Redis',
  ...over,
});

export const deploymentOf = (pool: Pool, replicas: number): DeploymentView => ({
  uid: 'deployment-uid',
  resourceVersion: '100',
  generation: 1,
  observedGeneration: 1,
  replicas,
  replicasManager: FIELD_MANAGER,
  ownerUid: pool.uid,
  terminating: false,
  labels: renderDeployment(pool, { replicas }).metadata.labels,
  annotations: renderDeployment(pool, { replicas, mark: EPOCH }).metadata.annotations,
  status: { replicas, updated: replicas, ready: replicas, available: replicas },
});

export const healthOf = (work: Partial<ReplicaWork> = {}, over: Partial<ReplicaHealth> = {}): ReplicaHealth => ({
  work: workOf(work),
  redis: known({ ok: true }, NOON),
  supabase: { ok: false, because: 'it is not checked' },
  ...over,
});

export const replicaOf = (name: string, over: Partial<ReplicaView> = {}): ReplicaView => ({
  name,
  uid: `uid-${name}`,
  phase: 'Running',
  ready: true,
  terminating: false,
  createdAt: NOON - 60_000,
  readyAt: NOON - 58_000,
  templateHash: 'hash',
  labels: {},
  resourceVersion: '5',
  node: 'node1',
  scheduledAt: NOON - 60_000,
  disrupted: false,
  worker: { state: 'Running', restarts: 0, startedAt: NOON - 59_000 },
  health: known(healthOf(), NOON),
  report: known({ active: 0, slots: 5, processStart: 1, durationSum: 0, durationCount: 0 }, NOON),
  ...over,
});

const replicaSetOf = (templateHash: string): ReplicaSetView => ({
  name: `agent-jobs-${templateHash}`,
  ownerUid: 'deployment-uid',
  templateHash,
  labels: {},
  revision: 1,
  generation: 1,
  observedGeneration: 1,
  replicas: 0,
  status: { replicas: 0, unmarked: 0 },
});

/** Of the replica `pod-0`. */
export const sampleDeletion: Deletion = {
  name: 'pod-0',
  uid: 'uid-pod-0',
  resourceVersion: '5',
  reason: 'Wedged',
  because: 'wedged',
  event: { type: 'Warning', reason: 'ReplicaRestarted', action: 'Restart', note: 'pod-0 is wedged' },
};

type StateOver = { pool?: Pool; replicas?: number; queue?: Partial<QueueSnapshot> } & Partial<
  Omit<PoolState, 'pool' | 'replicas' | 'queue'>
>;

/** A settled pool: applied, rolled out, watched for an hour. */
export function stateOf({ pool = samplePool(), replicas = 0, queue = {}, ...over }: StateOver = {}): PoolState {
  const key = templateKey(renderDeployment(pool, { replicas }));
  const now = over.now ?? NOON;
  return {
    now,
    pool,
    deployment: known(deploymentOf(pool, replicas), now),
    replicas: known(
      Array.from({ length: replicas }, (_, i) =>
        replicaOf(`pod-${i}`, { health: known(healthOf({}, { redis: known({ ok: true }, now) }), now) }),
      ),
      now,
    ),
    queue: known(queueOf(queue), now),
    redis: { ok: true },
    replicaSets: known([replicaSetOf('hash')], now),
    checks: { redis: known({ ok: true }, now), supabase: { ok: false, because: 'it is not checked' } },
    random: 0.5,
    rivals: [],
    autoscalers: [],
    epoch: EPOCH,
    memory: {
      ...firstMemory(pool.status, now - 3_600_000),
      applied: { uid: 'deployment-uid', generation: 1, replicas, templateKey: key },
    },
    ...over,
  };
}

/** Everything that a decision tells, when all of it is carried out and written. */
export const toldBy = ({ events, interruptions }: Pick<Decision, 'events' | 'interruptions'>): readonly PoolEvent[] => [
  ...interruptions.map(({ event }) => event),
  ...events.noticed,
  ...events.carriedOut,
  ...events.withStatus,
];

/** The world after a decision was carried out and Kubernetes caught up with it. */
export function afterApplying(state: PoolState, decision: Decision, elapsedMs: Millis = 0): PoolState {
  const now = state.now + elapsedMs;
  const pool = { ...state.pool, status: decision.status };
  const next = { ...state, now, pool, memory: decision.memory, queue: restamp(state, now) };
  const apply = decision.actions[0];
  if (apply === undefined) return next;
  const { replicas } = apply.manifest.spec;
  const before = state.deployment.ok ? state.deployment.value : null;
  const generation = (before?.generation ?? 0) + 1;
  const { raise } = apply;
  const deployment = {
    ...deploymentOf(pool, replicas),
    annotations: (raise === undefined ? undefined : before?.annotations) ?? apply.manifest.metadata.annotations,
    generation,
    observedGeneration: generation,
    resourceVersion: `${generation}00`,
  };
  return {
    ...next,
    deployment: known(deployment, now),
    replicas: known(
      Array.from({ length: replicas }, (_, i) =>
        replicaOf(`pod-${i}`, { health: known(healthOf({}, { redis: known({ ok: true }, now) }), now) }),
      ),
      now,
    ),
    memory: {
      ...decision.memory,
      applied: {
        uid: deployment.uid,
        generation,
        replicas,
        templateKey: apply.templateKey,
        ...(raise === undefined ? {} : { raisedUnder: raise.fence }),
      },
    },
  };
}

const restamp = ({ queue }: PoolState, now: Millis): PoolState['queue'] => (queue.ok ? known(queue.value, now) : queue);
