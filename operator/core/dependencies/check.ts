import type { Known, Millis } from '../known.ts';

export const DEPENDENCIES = ['redis', 'supabase'] as const;
export type DependencyName = (typeof DEPENDENCIES)[number];

/** How a pool depends on it. `Required`: without it no job is started. `Optional`: it is only reported. */
export type DependencyMode = 'Required' | 'Optional' | 'Off';

/**
 * How one check ended. An outage (refused, time-out, 5xx) may end by itself and holds a replica. A refusal (401, 403,
 * 404, a wrong password) is an answer: it holds nothing, and a person has to mend it.
 */
export type CheckResult = Readonly<{ ok: true }> | Readonly<{ ok: false; kind: 'Outage' | 'Refused'; because: string }>;

/** `at` is when the check was made, not when it was told of. */
export type Check = Known<CheckResult>;

/** What one replica says of one dependency. */
export type ReplicaCheck = Readonly<{ uid: string; name: string; templateHash: string; check: Check }>;

const TITLES: Readonly<Record<DependencyName, string>> = { redis: 'Redis', supabase: 'Supabase' };

export const titleOf = (dependency: DependencyName): string => TITLES[dependency];

/** A failure that was told this long ago still speaks: a replica that failed and then fell silent is not well. */
const FAILURE_SPEAKS_MS: Millis = 120_000;

/** What a check is worth now. `freshMs`: a good one that is older says nothing. */
export function weigh(check: Check, at: Readonly<{ now: Millis; freshMs: Millis }>): Check {
  if (!check.ok) return check;
  const age = at.now - check.at;
  if (age <= (check.value.ok ? at.freshMs : Math.max(at.freshMs, FAILURE_SPEAKS_MS))) return check;
  return { ok: false, because: 'the last check is too old to say' };
}
