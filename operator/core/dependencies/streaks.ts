import type { Millis } from '../known.ts';
import type { CheckResult, ReplicaCheck } from './check.ts';

/** The last checks of one replica that ended the same way. */
export type Streak = Readonly<{
  result: CheckResult;
  /** Checks in a row that ended so; each is counted once, however often it is told. */
  length: number;
  since: Millis;
  at: Millis;
}>;

export type Streaks = Readonly<Record<string, Streak>>;

/**
 * The streaks after one more look. A replica that says nothing now keeps its last one, so that silence neither ends nor
 * lengthens it; one that is gone is forgotten.
 */
export function continueStreaks(before: Streaks, checks: readonly ReplicaCheck[]): Streaks {
  const entries = checks.flatMap(({ uid, check }): readonly (readonly [string, Streak])[] => {
    const old = before[uid];
    if (!check.ok) return old === undefined ? [] : [[uid, old]];
    return [[uid, continueStreak(old, { result: check.value, at: check.at })]];
  });
  return Object.fromEntries(entries);
}

function continueStreak(
  old: Streak | undefined,
  { result, at }: Readonly<{ result: CheckResult; at: Millis }>,
): Streak {
  if (old === undefined || old.result.ok !== result.ok) return { result, length: 1, since: at, at };
  // The same reading again, or one that was overtaken.
  if (at <= old.at) return old;
  return { result, length: old.length + 1, since: old.since, at };
}

/** Failures that an outage explains say nothing of the replica: after it, each is counted anew from `now`. */
export const countFailuresAnew = (streaks: Streaks, now: Millis): Streaks =>
  Object.fromEntries(
    Object.entries(streaks).map(([uid, streak]) => [
      uid,
      streak.result.ok ? streak : { ...streak, length: 0, since: now },
    ]),
  );
