import type { Millis } from '../known.ts';
import type { RestartMemory, RestartView, Ledger } from './view.ts';

/** What a replica said of its jobs longer ago than this takes nobody away: it is asked again for the pass that deletes. */
export const FRESH_MS: Millis = 2_000;

/** An image without cordon cannot be told, nor one that is out of reach: it is deleted when idle all the same. */
export const CORDON_LIMIT_MS: Millis = 10_000;

/** Looks that lie further apart say nothing of the time between them: a cordon runs out while nobody looks. */
const LOOK_GAP_MS: Millis = 6_000;

/** How long the replica of a retry was told in vain. */
export function nextTelling(
  { memory, now, replicas }: RestartView,
  { pending }: Pick<Ledger, 'pending'>,
): RestartMemory['telling'] {
  if (pending === undefined) return undefined;
  const { uid } = pending;
  const work = replicas.ok ? replicas.value.find((each) => each.uid === uid)?.work : undefined;
  const before = memory.telling;
  if (before?.uid !== uid || (work?.ok === true && work.value.cordoned)) return { uid, at: now, inVainMs: 0 };
  const gapMs = now - before.at;
  return { uid, at: now, inVainMs: before.inVainMs + (gapMs > LOOK_GAP_MS ? 0 : gapMs) };
}
