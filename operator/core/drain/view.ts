import type { Known, Millis } from '../known.ts';

/** What a replica says of itself, asked in this pass. */
export type ReplicaAnswer = Readonly<{
  /** Name under which it says to be known; the name that its jobs are marked with. */
  name: string;
  /** Start of the process, as the replica writes it. Another value is another process, to which no cordon was told. */
  processStart: string;
  /** Jobs that run, and fetches that may still bring one. */
  active: number;
  cordoned: boolean;
  /** The job that it ended last, and when, as the replica writes it; null when none. */
  lastFinished: Readonly<{ job: string | null; at: string }> | null;
}>;

/** What is written on a replica in the moment in which it was proven idle and shown not ready. */
export type Mark = Readonly<{
  /** The proof that it was set for; another proof needs another mark. */
  of: string;
  /** The replicas that there were, all of them running or marked. */
  beside: string;
}>;

/** One pod of the pool that counts for its ReplicaSet: neither told to go nor ended. */
export type DrainReplica = Readonly<{
  name: string;
  uid: string;
  createdAt: Millis;
  /** It has a node and its phase is Running. The ReplicaSet takes every other replica before those that run. */
  running: boolean;
  ready: boolean;
  /** Why its worker container does not run and will not by itself. */
  cannotStart?: string;
  /** Starts of the worker's container after the first. */
  restarts: number;
  /** It carries the mark of a proven replica. */
  mark?: Mark;
  /** Labels of its template that somebody took from it, or changed: it is one less in the ReplicaSet's count. */
  lostLabels?: Readonly<Record<string, string>>;
  /** The pod-deletion-cost that somebody else gave it. */
  foreignCost?: number;
  answer: Known<ReplicaAnswer>;
}>;

export type ReplicaSetView = Readonly<{
  name: string;
  generation: number;
  observedGeneration: number;
  replicas: number;
  /** `unmarked`: those that have every label of the template (`fullyLabeledReplicas`). */
  status: Readonly<{ replicas: number; unmarked: number }>;
}>;

/** What Redis says of the jobs that are active. */
export type ActiveJobs = Readonly<{
  total: number;
  /** Of jobs that carry no name of a worker. */
  unnamed: number;
  byName: Readonly<Record<string, Readonly<{ jobs: number; oldestStartedAt: Millis }>>>;
}>;

/** A replica that this leader told to take no new job. */
export type Cordon = Readonly<{
  /** Of the process that was told. */
  processStart: string;
  /** When it was first told, and until when it stays told: counted from before the last call was sent. */
  since: Millis;
  until: Millis;
  /** When it was first seen idle, and whether our watch has shown it ready from then on. */
  idle?: Readonly<{ since: Millis; shownReady: boolean }>;
  /** That it takes too long was said. */
  reported?: true;
}>;

/** The evidence of a removal, as it was when the number was lowered from `from`. */
export type Removing = Readonly<{ name: string; because: string; from: number; at: Millis }>;

/** A step that failed, `times` in a row, the last time at `at`. */
export type StepFailure = Readonly<{ because: string; at: Millis; times: number }>;

/** Not one of those that are to go can be told, or asked; `isLong`: no passing trouble any more. */
export type Silence = Readonly<{ since: Millis; isLong: boolean; because: string }>;

/** What one leader has done to a pool's replicas and cannot read again. A new leader starts without it. */
export type DrainMemory = Readonly<{
  /** By UID. */
  cordons: Readonly<Record<string, Cordon>>;
  /** Given back to work because their drain took too long: not chosen again before this time. By UID. */
  spared: Readonly<Record<string, Millis>>;
  /**
   * How often a write of this leader went unanswered. It may still arrive, until the Deployment has another version: so
   * each gives this leader another mark to put there.
   */
  fences: number;
  /** Replicas of this template, named by its hash, offer no cordon. */
  absent?: Readonly<{ template: string; because: string }>;
  /** When the PodDisruptionBudget was last made, or found to be there. */
  budgetAt?: Millis;
  /** Why the Secret with the token could not be made. */
  tokenRefused?: Readonly<{ at: Millis; because: string }>;
  /** Steps that failed and have not succeeded since. By kind and UID. */
  failures: Readonly<Record<string, StepFailure>>;
  silence?: Silence;
  /** That somebody else sets pod-deletion-costs was said. */
  foreignCostsTold?: boolean;
  /** Names of replicas that were told to work again since the last pass. */
  reversed: readonly string[];
  /** Replicas that a lower number has taken away and that are not seen to be gone yet. By UID. */
  removing: Readonly<Record<string, Removing>>;
  /** Looked at every replica, and nothing was left to do: until a drain begins, replicas need not be asked. */
  atRest: boolean;
  /** None is to go or to work again, only failed ones are kept from new jobs: Redis need not be asked who works. */
  onlyKeeps: boolean;
}>;

export const FIRST_DRAIN_MEMORY: DrainMemory = {
  cordons: {},
  spared: {},
  fences: 0,
  failures: {},
  reversed: [],
  removing: {},
  atRest: false,
  onlyKeeps: false,
};

/** All that the drain of one pool depends on. */
export type DrainView = Readonly<{
  now: Millis;
  /** The leader that decides; no two have the same. */
  epoch: string;
  /** The number of replicas that the pool is steered to. */
  wanted: number;
  deployment: Readonly<{
    resourceVersion: string;
    replicas: number;
    generation: number;
    observedGeneration: number;
    /** This leader has changed it, so that nothing that an earlier one has sent can still arrive. */
    fenced: boolean;
    /** What this leader wrote is not shown by our watch yet. */
    behind: boolean;
  }>;
  /** All of the Deployment, also those without pods. */
  replicaSets: readonly ReplicaSetView[];
  /** The cluster does not let more pods come into being. */
  refused: boolean;
  /** Every replica was asked how it is. */
  asked: boolean;
  replicas: readonly DrainReplica[];
  /**
   * UIDs of those that are to take no new job although nothing goes down: about to be restarted, or failed with no retry
   * left. They keep their cordon, and go first.
   */
  failed: ReadonlySet<string>;
  activeJobs: Known<ActiveJobs>;
  memory: DrainMemory;
  timeoutMs: Millis;
  onTimeout: 'Wait' | 'Release';
}>;

/** The ReplicaSets of which there is, or shall be, a pod. */
export const withPods = (sets: readonly ReplicaSetView[]): readonly ReplicaSetView[] =>
  sets.filter(({ replicas, status }) => replicas > 0 || status.replicas > 0);
