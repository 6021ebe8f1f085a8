import type { Millis } from '../known.ts';
import type { RestartView, Ledger } from './view.ts';

export const MINUTE: Millis = 60_000;

/** A tenth of the replicas a minute, one at least; fewer just after an outage, and for a leader that has just come. */
export function limitOf({ memory, rampLimit, now }: RestartView, replicas: number): number {
  // What the leader before did in its last minute is known only by its last retry.
  const most = now - memory.watchingSince < MINUTE ? 1 : Math.max(1, Math.floor(replicas / 10));
  return Math.min(most, rampLimit ?? most);
}

type Question = Readonly<{ view: RestartView; ledger: Ledger; recent: readonly Millis[]; limit: number }>;

/** Whether a retry may be taken now, or when to ask again. */
export function mayRetry({ view, ledger, recent, limit }: Question): Readonly<{ ok: boolean; lookAt?: Millis }> {
  const { now, noRestarts } = view;
  if (noRestarts !== undefined || limit === 0) return { ok: false };
  const { nextRetryAt = now, lastRetryAt } = ledger;
  if (now < nextRetryAt) return { ok: false, lookAt: nextRetryAt };
  const own = lastRetryAt === undefined || recent.includes(lastRetryAt) ? recent : [lastRetryAt, ...recent];
  const taken = own.filter((at) => at > now - MINUTE).sort((a, b) => b - a);
  const frees = taken[limit - 1];
  return frees === undefined ? { ok: true } : { ok: false, lookAt: frees + MINUTE };
}
