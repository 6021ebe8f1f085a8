import type { Pool } from '../api/parse.ts';
import type { Check, DependencyName } from './dependencies/check.ts';
import type { ReplicaHealth } from './health/replica-health.ts';
import type { ActiveJobs, Mark, ReplicaAnswer } from './drain/view.ts';
import type { Known, Millis } from './known.ts';
import type { ScaleMemory } from './scale-memory.ts';
import type { WorkerContainer } from './restarts/view.ts';

/** What Redis, or the replicas that read it, say of one queue. Counts are jobs. */
export type QueueSnapshot = Readonly<{
  /** Jobs that could start now: `wait` + `prioritized` + overdue `delayed`, also while the queue is paused. */
  ready: number;
  /** Jobs running now. */
  active: number;
  /** Delayed jobs that are not due yet. */
  delayed: number;
  failed: number;
  paused: boolean;
  /** BullMQ's global concurrency: so many jobs of the whole queue may run at once. Absent: any number. */
  concurrency?: number;
  /** BullMQ's global rate limit: `max` jobs may start in `durationMs`. Absent: any number. */
  rateLimit?: Readonly<{ max: number; durationMs: Millis }>;
  /** The rate limit is used up: no job starts for so long. Absent while jobs may start. */
  limitedForMs?: Millis;
  /** When the first delayed job becomes due. */
  nextDelayedAt?: Millis;
  /** Age of the oldest job that could start now. */
  oldestWaitMs?: number;
  /** False when no key of the queue exists, not even `meta`: the queue was never used, or all its keys are gone. */
  exists: boolean;
  source: 'Workers' | 'Prometheus' | 'Redis';
  /** Why the pool's own source did not serve, when another one did. */
  fallback?: string;
}>;

/** What one replica says of itself in its Prometheus text. Durations in seconds, as exported. */
export type ReplicaReport = Readonly<{
  active: number;
  slots: number;
  /** Start time of the process, seconds since the epoch: a changed one means that every counter began again. */
  processStart: number;
  durationSum: number;
  durationCount: number;
  /** Sum of the times that the running jobs have run, in seconds; absent when the image does not say it. */
  runningSeconds?: number;
}>;

export type ReplicaView = Readonly<{
  name: string;
  uid: string;
  phase: string;
  ready: boolean;
  terminating: boolean;
  createdAt: Millis;
  readyAt?: Millis;
  /** `pod-template-hash` of the ReplicaSet that owns it. */
  templateHash: string;
  labels: Readonly<Record<string, string>>;
  /** Why its worker container does not run and will not by itself, in the kubelet's words. */
  cannotStart?: string;
  /** The version that a deletion of it is decided on. */
  resourceVersion: string;
  node?: string;
  /** Since when it has a node; while it has none, why, in the scheduler's words. */
  scheduledAt?: Millis;
  unscheduledBecause?: string;
  /** The cluster itself takes it away: an eviction, a drained or lost node, a preemption. */
  disrupted: boolean;
  worker: WorkerContainer;
  /** The mark of a proven replica; `undefined` while it has the label of those that serve. */
  mark?: Mark;
  /** A pod-deletion-cost that is not the operator's. */
  foreignCost?: string;
  report: Known<ReplicaReport>;
  health: Known<ReplicaHealth>;
}>;

/** One ReplicaSet of the pool's Deployment, those without pods too. */
export type ReplicaSetView = Readonly<{
  name: string;
  ownerUid?: string;
  /** `pod-template-hash` of its pods. */
  templateHash: string;
  /** Of its template: those that it counts a pod as fully labelled by. */
  labels: Readonly<Record<string, string>>;
  /** The Deployment counts these up: the greatest is the template that it brings up now. */
  revision: number;
  generation: number;
  observedGeneration: number;
  replicas: number;
  /** `unmarked`: those that have every label of the template (`fullyLabeledReplicas`). */
  status: Readonly<{ replicas: number; unmarked: number }>;
}>;

/** The parts of a Deployment that a decision reads. */
export type DeploymentView = Readonly<{
  uid: string;
  resourceVersion: string;
  generation: number;
  observedGeneration: number;
  replicas: number;
  /** The field manager that owns `spec.replicas`. */
  replicasManager?: string;
  /** UID of the pool that controls it; undefined when nobody or somebody else does. */
  ownerUid?: string;
  terminating: boolean;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  status: Readonly<{ replicas: number; updated: number; ready: number; available: number }>;
  /** Message of `Progressing=False`: a rollout that cannot finish. */
  stuckBecause?: string;
  /** Message of `ReplicaFailure=True`: pods that a quota or a policy does not let come into being. */
  refusedBecause?: string;
}>;

export type RedisTrouble =
  | 'SecretNotFound'
  | 'SecretKeyMissing'
  | 'SecretForbidden'
  | 'RedisUrlInvalid'
  | 'RedisAuthFailed'
  | 'RedisUnreachable';

/** How the way to the pool's Redis stands: usable, or which link of the chain is broken. */
export type RedisAccess = Readonly<{ ok: true }> | Readonly<{ ok: false; trouble: RedisTrouble; because: string }>;

/** Something else that sets `replicas` of the pool's Deployment, in the pool's namespace. */
export type Autoscaler = Readonly<{ kind: 'HorizontalPodAutoscaler' | 'ScaledObject'; name: string }>;

/** Another pool that works on the same queue of the same Redis. */
export type Rival = Readonly<{ namespace: string; name: string; uid: string; createdAt: Millis }>;

/** Which Redis URL it is, and in which version of its Secret it stands; neither tells the URL. */
export type UrlMark = Readonly<{ digest: string; secretVersion: string }>;
/** What only a drain must know; it is read when there is one. */
export type DrainFacts = Readonly<{
  /** False: no replica was asked, since nothing is to be drained. */
  asked: boolean;
  /** By UID; what is not there was not asked. */
  answers: Readonly<Record<string, Known<ReplicaAnswer>>>;
  activeJobs: Known<ActiveJobs>;
  /** The token that replicas ask for; `missing`: it is to be made. */
  token: 'present' | 'missing' | Readonly<{ because: string }>;
}>;

/** The end of one run of a replica's worker, as it told it itself. */
export type Ending = Readonly<{
  /** The pod's UID and the time: a container ends once in a second. */
  key: string;
  uid: string;
  replica: string;
  /** When the process ended, in whole seconds. */
  at: Millis;
  /** Jobs that it gave back to the queue, and that it could not give back: they are started again either way. */
  handedBack: number;
  lost: number;
  templateHash: string;
  /** The pod itself was told to go; else only its container has ended. */
  terminating: boolean;
  /** When that was asked. */
  deletedAt?: Millis;
  /** The cluster took it away: an eviction, a drained or lost node, a preemption. */
  disrupted: boolean;
  /** It had the mark of a replica that was proven idle. */
  marked: boolean;
}>;

/** Everything that is known of one pool at one moment, what is unknown and why, and `now`. */
export type PoolState = Readonly<{
  now: Millis;
  pool: Pool;
  /** `null`: there is none. */
  deployment: Known<DeploymentView | null>;
  replicas: Known<readonly ReplicaView[]>;
  replicaSets: Known<readonly ReplicaSetView[]>;
  /** The operator's own checks of what the pool depends on. */
  checks: Readonly<Record<DependencyName, Check>>;
  /** From 0 to 1, drawn for this look: core draws none itself. */
  random: number;
  queue: Known<QueueSnapshot>;
  redis: RedisAccess;
  /** Absent while the Secret cannot be read. */
  redisUrl?: UrlMark;
  rivals: readonly Rival[];
  autoscalers: readonly Autoscaler[];
  /** The leader that decides; no two have the same. */
  epoch: string;
  /** Absent: no replica can be told to take no new job. */
  drain?: DrainFacts;
  /** Workers that have ended in the last minutes, by what they said last. */
  endings?: readonly Ending[];
  memory: ScaleMemory;
}>;
