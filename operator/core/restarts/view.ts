import type { LocalFault } from '../dependencies/judge.ts';
import type { Known, Millis } from '../known.ts';

/** What a replica says of itself in `/health`, besides its dependencies. */
export type ReplicaWork = Readonly<{
  /** Start of the process as the replica writes it: another value is another process. */
  processStart: string;
  active: number;
  slots: number;
  cordoned: boolean;
  /** Why it takes no new job on its own account, or null. */
  held: string | null;
  stopping: boolean;
  /** When it last took a job, as the replica writes it, or null. Compared only with itself. */
  lastFetch: string | null;
  /** It has ended an attempt of a job since its process began. */
  hasFinished: boolean;
}>;

/** The worker's container as the kubelet describes it. */
export type WorkerContainer = Readonly<{
  state: 'Running' | 'Waiting' | 'Terminated' | 'Absent';
  /** The kubelet's word for a container that waits, and its sentence. */
  waiting?: Readonly<{ reason: string; message?: string }>;
  /** Starts after the first. */
  restarts: number;
  startedAt?: Millis;
  /** How the last run ended. */
  lastExit?: Readonly<{ at: Millis; code: number; reason?: string }>;
  /** Limit of memory in the words of the template. */
  memoryLimit?: string;
}>;

export type RestartReplica = Readonly<{
  name: string;
  uid: string;
  templateHash: string;
  node?: string;
  createdAt: Millis;
  /** Since when it has a node. */
  scheduledAt?: Millis;
  ready: boolean;
  /** The cluster itself takes it away: an eviction, a drained or lost node, a preemption. */
  disrupted: boolean;
  worker: WorkerContainer;
  work: Known<ReplicaWork>;
}>;

export type RestartSpec = Readonly<{
  policy: 'OnFailure' | 'Never';
  maxRetries: number;
  backoffBaseMs: Millis;
  backoffMaxMs: Millis;
  resetAfterMs: Millis;
  progressTimeoutMs: Millis;
  /** How long a replica that still runs jobs may take to end them. */
  drainTimeoutMs: Millis;
}>;

export type FailureReason = 'CrashLoop' | 'CannotReachDependency' | 'Wedged' | 'NodeCannotStart';

/** A retry that was taken from the budget and is being carried out. */
export type Pending = Readonly<{ pod: string; uid: string; at: Millis; reason: FailureReason }>;

/** The account of one pool and one template. It stands in the status, and is written there before anything is deleted. */
export type Ledger = Readonly<{
  templateHash: string;
  used: number;
  pending?: Pending;
  lastFailureAt?: Millis;
  lastRetryAt?: Millis;
  /** Not before this time; drawn once for each retry. */
  nextRetryAt?: Millis;
  /** A replica of this template was once Ready. */
  everReady: boolean;
}>;

/** Since when a replica could have taken a job and has taken none. */
export type WedgeEntry = Readonly<{ since: Millis; process: string; lastFetch: string | null }>;

/** By UID. */
export type WedgeMemory = Readonly<Record<string, WedgeEntry>>;

/** All that the restarts of one pool depend on. */
export type RestartView = Readonly<{
  now: Millis;
  /** From 0 to 1, drawn anew for each look: core draws none itself. */
  random: number;
  spec: RestartSpec;
  /** Hash of the template that the Deployment brings up now; undefined while that is not known. */
  templateHash?: string;
  /** Pods that were not told to go; unknown while they cannot be seen. */
  replicas: Known<readonly RestartReplica[]>;
  /** Replicas that alone cannot reach a dependency that they require. */
  localFaults: readonly LocalFault[];
  /** Why nothing may be restarted now. */
  noRestarts?: string;
  /** Restarts of a minute after an outage. */
  rampLimit?: number;
  /** Jobs wait that may start: not while the queue is paused, limited or unknown. */
  jobsMayStart: boolean;
  /** Value of the annotation by which a person gives the budget back. */
  retryAt?: string;
  /** As it stands in the status, where it outlives a leader. */
  ledger?: Ledger;
  memory: RestartMemory;
}>;

/** What one leader has seen and cannot read again. A new leader starts without it and waits the longer. */
export type RestartMemory = Readonly<{
  watchingSince: Millis;
  wedge: WedgeMemory;
  /** Retries of the last minute. */
  recent: readonly Millis[];
  /** A replica that was made after the last retry has done work. */
  proven: boolean;
  /** The replica that is to be restarted, looked at last at this time: so long it was told to take no new job, in vain. */
  telling?: Readonly<{ uid: string; at: Millis; inVainMs: Millis }>;
}>;

export const firstRestartMemory = (now: Millis): RestartMemory => ({
  watchingSince: now,
  wedge: {},
  recent: [],
  proven: false,
});
