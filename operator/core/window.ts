import type { Pool } from '../api/parse.ts';
import type { Millis } from './known.ts';

/** A wanted number; it held from `at`, or a little before, until the next entry. */
export type WantedEntry = Readonly<{ at: Millis; wanted: number }>;

/**
 * Adds `wanted` at `now` and forgets what the window no longer sees. An older number that is not greater can never
 * again be the greatest, so it is dropped: the list falls from its first entry to its last, and is never longer than
 * `maxReplicas` + 1. The last number held until now, so it stays for a whole window from now.
 */
export function remember(
  entries: readonly WantedEntry[],
  entry: WantedEntry,
  windowMs: Millis,
): readonly WantedEntry[] {
  const last = entries.at(-1);
  const until = last === undefined ? [] : [{ at: entry.at, wanted: last.wanted }];
  const seen = [...entries.slice(0, -1), ...until];
  return [...seen.filter((old) => old.at > entry.at - windowMs && old.wanted > entry.wanted), entry];
}

/** The greatest number of the window; 0 for an empty one. */
export const greatest = (entries: readonly WantedEntry[]): number =>
  entries.reduce((most, entry) => Math.max(most, entry.wanted), 0);

/** When the greatest number leaves the window: the next moment at which the answer can change by itself. */
export function greatestLeavesAt(entries: readonly WantedEntry[], windowMs: Millis): Millis | undefined {
  const [first, second] = entries;
  return first === undefined || second === undefined ? undefined : first.at + windowMs;
}

/** Never shorter than the wait target: a pool that sheds replicas faster than jobs wait would only start them again. */
export const windowOf = ({ pool }: Readonly<{ pool: Pool }>): Millis =>
  Math.max(pool.spec.scaling.scaleDownWindowMs, pool.spec.scaling.targetWaitMs);
