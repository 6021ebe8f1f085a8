import type { Pool } from '../../../operator/api/parse.ts';
import type { SimulatedReplica } from '../simulated-replica.ts';

/** What a rule may look at. */
export type Sight = Readonly<{
  /** Milliseconds since the epoch. */
  now: number;
  waiting: number;
  active: number;
  /** Age of the oldest waiting job. */
  oldestWaitMs?: number;
  /** The integral of waiting + active over the time so far, in job · milliseconds: differences give means. */
  jobMs: number;
  /** Those that `replicas` of the Deployment counts. */
  replicas: readonly SimulatedReplica[];
}>;

/** What a rule orders, and when it wants to look again. */
export type Order = Readonly<{
  /** `replicas` of the Deployment; what is too many goes in the order of the ReplicaSet. */
  replicas: number;
  cordon?: readonly SimulatedReplica[];
  uncordon?: readonly SimulatedReplica[];
  /** Those that get a deletion cost, so that the ReplicaSet takes them first, and those that lose it. */
  mark?: readonly SimulatedReplica[];
  unmark?: readonly SimulatedReplica[];
  lookAgainAt: number;
  /** Looks earlier, when a job comes or a replica changes, but not before this time; absent: only at its time. */
  wakesFrom?: number;
}>;

/** An autoscaler on one simulated pool. It keeps what it remembers between two looks. */
export type Autoscaler = Readonly<{
  /** Replicas, ready, that there are before the first job. */
  startsWith: number;
  look: (sight: Sight) => Order;
}>;

/** How long a replica that is told to end may finish its jobs, when nobody set it. */
export type Rule = Readonly<{ name: string; graceMs: number; start: (pool: Pool) => Autoscaler }>;

/** `terminationGracePeriodSeconds` of a pod that says nothing. */
export const KUBERNETES_GRACE_MS = 30_000;
