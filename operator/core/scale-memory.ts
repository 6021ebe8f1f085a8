import type { Account } from './counterfactual/account.ts';
import type { DrainMemory } from './drain/view.ts';
import type { HealthMemory } from './health/memory.ts';
import type { Millis } from './known.ts';
import type { WantedEntry } from './window.ts';

/** Replicas that were added at once. */
export type Raise = Readonly<{ at: Millis; by: number }>;

/** A refusal that the API server will repeat until the pool changes, or what it was measured against (a quota, a policy). */
export type Refusal = Readonly<{ generation: number; at: Millis; because: string }>;

/** The API server fails to apply, which is no verdict on the pool: a webhook that does not answer, a storage that is away. */
export type ApplyFailure = Readonly<{ since: Millis; because: string }>;

/** The outcome of the last apply: until the watch shows this generation, the cached Deployment is older than it. */
export type Applied = Readonly<{
  uid: string;
  generation: number;
  replicas: number;
  templateKey: string;
  /** The fence under which the number was raised alone, which writes no mark and changes the version all the same. */
  raisedUnder?: string;
}>;

/** Somebody else's number that was corrected. */
export type Correction = Readonly<{ at: Millis; manager: string }>;

/** What one leader must know of its own deeds to say who ended a replica. */
export type InterruptionMemory = Readonly<{
  /** Endings that were counted, by key. */
  counted: readonly string[];
  /** UIDs of the replicas that it has restarted. */
  restarted: readonly string[];
  /** When it lowered the number. */
  loweredAt: readonly Millis[];
}>;

/**
 * What one leader has seen and cannot read again. A new leader starts without it, and therefore
 * scales nothing down before it has watched a whole window.
 */
export type ScaleMemory = Readonly<{
  watchingSince: Millis;
  /** Wanted numbers of the last window, oldest first, one entry a change. */
  wanted: readonly WantedEntry[];
  /** The last counters of each replica, by UID: differences give the mean duration. */
  counters: Readonly<Record<string, Readonly<{ processStart: number; sum: number; count: number }>>>;
  /** Mean duration of the jobs that ended lately. */
  meanDuration?: Readonly<{ ms: number; at: Millis }>;
  /** Mean age of the jobs that ran at the last look. */
  meanRunning?: Millis;
  /** From created to Ready, last measured. */
  coldStartMs?: Millis;
  /** UIDs of the replicas that are there and were seen ready. */
  started: readonly string[];
  /** What this leader applied last, and what the API server made of it. */
  applied?: Applied;
  /** Since when every key of the queue is gone. */
  vanishedSince?: Millis;
  /** The wanted number on the way to which replicas were added, and of which was told; until it is reached. */
  raisingTo?: number | undefined;
  /** What was added in the last minute, oldest first. */
  raises: readonly Raise[];
  /** Those of the last minutes, oldest first. */
  corrections: readonly Correction[];
  refusal?: Refusal;
  applyFailure?: ApplyFailure;
  /** What other rules would have used, of which the status keeps the sums. */
  account?: Account;
  health: HealthMemory;
  drain: DrainMemory;
  interruptions?: InterruptionMemory;
}>;
