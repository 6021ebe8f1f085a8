import type { PoolStatus } from '../api/pool.ts';
import type { Because } from './because.ts';
import type { DrainOutcome } from './drain/outcome.ts';
import type { DrainStep } from './drain/steps.ts';
import type { Millis } from './known.ts';
import type { Care } from './health/look-after.ts';
import type { Manifest } from './manifest.ts';
import type { PoolEvent, PoolEvents } from './pool-event.ts';
import type { FailureReason } from './restarts/view.ts';
import type { ScaleMemory } from './scale-memory.ts';

/** What to change in the cluster. A pass carries out all of them, in order. */
export type Action = Readonly<{
  kind: 'apply';
  manifest: Manifest;
  templateKey: string;
  /** There when the number rises and nothing else changes: it can be written alone, by the Deployment's `scale`. */
  raise?: RaiseAlone;
}>;

/** The version of the Deployment that a raise was decided on, and the fence under which it is written. */
export type RaiseAlone = Readonly<{ uid: string; resourceVersion: string; generation: number; fence: string }>;

/** A failed replica goes; its ReplicaSet makes another. Only that very pod, at the version that was decided on. */
export type Deletion = Readonly<{
  name: string;
  uid: string;
  resourceVersion: string;
  /** Left out, the pod's own grace holds. */
  graceSeconds?: number;
  reason: FailureReason;
  because: string;
  /** To be said once it is carried out. */
  event: PoolEvent;
}>;

/** How the queue's event stream wakes the pool: at once, at most once a second, or not at all because it is polled. */
export type WakePace = 'instant' | 'paced' | 'none';

/** `unknown`: by hand, with its pool, or by the lower number of an earlier leader. */
export type InterruptionCause = 'scale_down' | 'rollout' | 'restart' | 'disruption' | 'unknown';

export type Interruption = Readonly<{
  cause: InterruptionCause;
  replica: string;
  jobs: number;
  because: string;
  event: PoolEvent;
}>;

/** What follows from a `PoolState`: data, to be carried out by `act`. */
export type Decision = Readonly<{
  because: Because;
  wanted: number;
  actions: readonly Action[];
  /** What to tell the replicas, after the actions. */
  drainSteps: readonly DrainStep[];
  /** What became of replicas that were drained. */
  drainOutcomes: readonly DrainOutcome[];
  /** Jobs that have to be started again because their replica has ended: to be told whatever becomes of the actions. */
  interruptions: readonly Interruption[];
  /** The Secret with the token for the replicas is to be made. */
  makesToken: boolean;
  /** The PodDisruptionBudget is to be made, where there is none. */
  makesBudget: boolean;
  status: PoolStatus;
  /** Of everything but the deletion and the interruptions, which have their own. */
  events: PoolEvents;
  care: Care;
  /** Comes after the actions. */
  deletion?: Deletion;
  memory: ScaleMemory;
  wake: WakePace;
  /** When to look again although nothing happens, at the latest. */
  recheckAfterMs: Millis;
  /** Where somebody compares every reading with the last: for so long, only another one can change anything. */
  sleepsForMs?: Millis;
}>;
