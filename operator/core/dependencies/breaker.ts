import type { Millis } from '../known.ts';
import type { Evidence } from './evidence.ts';

/** Why nothing is restarted: the dependency is out, or the replicas as a whole cannot reach it. */
export type OpenReason = 'DependencyUnavailable' | 'ReplicasCannotReach';

/**
 * The breaker of one dependency. While it is open nothing is restarted or removed: a restart cures nobody of an outage
 * elsewhere. `good`: checks in a row of the operator that succeeded, the first of them at `goodSince`. `metReplicas`: a
 * replica has failed since it opened, or may have.
 */
export type Breaker =
  | Readonly<{ state: 'Closed'; closedAt?: Millis }>
  | Readonly<{
      state: 'Open';
      reason: OpenReason;
      since: Millis;
      metReplicas: boolean;
      good: number;
      goodSince?: Millis;
      checkedAt?: Millis;
    }>;

export const CLOSED: Breaker = { state: 'Closed' };

/** Good checks in a row of the operator that a dependency must have to count as back. */
export const GOOD_CHECKS = 2;
/** A replica that was the canary and says nothing for so long will not say anything. */
const SILENT_CANARY_MS: Millis = 60_000;

/** The breaker's next state. The same evidence twice changes nothing the second time. */
export function nextBreaker(before: Breaker, evidence: Evidence): Breaker {
  const opened = openedBy(evidence);
  if (opened !== undefined) {
    const open = before.state === 'Open' ? before : { since: evidence.now, good: 0, metReplicas: false };
    const metReplicas = open.metReplicas || evidence.counts.unhealthy > 0;
    return countGood({ ...open, state: 'Open', reason: opened, metReplicas }, evidence);
  }
  if (before.state === 'Closed') return before;
  const counted = countGood(before, evidence);
  return isOver(counted, evidence) ? { state: 'Closed', closedAt: evidence.now } : counted;
}

const openedBy = ({ sick }: Evidence): OpenReason | undefined =>
  sick === 'DependencyUnavailable' || sick === 'ReplicasCannotReach' ? sick : undefined;

type Open = Extract<Breaker, { state: 'Open' }>;

function countGood(open: Open, { operator }: Evidence): Open {
  // Silence is no success: it neither counts nor breaks the row; only a failed check does.
  if (!operator.ok || operator.at === open.checkedAt) return open;
  const { goodSince, ...rest } = open;
  if (!operator.value.ok) return { ...rest, good: 0, checkedAt: operator.at };
  return { ...rest, good: open.good + 1, goodSince: goodSince ?? operator.at, checkedAt: operator.at };
}

/** The second good check comes within seconds where the queue is polled; one that is this late may not come at all. */
const SECOND_CHECK_MS: Millis = 5000;

/**
 * One more good check closes it, without a replica: a canary that started now would only divide the step from zero in
 * two.
 */
export function isNearlyOver(breaker: Breaker, now: Millis): boolean {
  if (breaker.state === 'Closed' || breaker.metReplicas || breaker.goodSince === undefined) return false;
  return breaker.good === GOOD_CHECKS - 1 && now - breaker.goodSince < SECOND_CHECK_MS;
}

/** The operator finds the dependency well again; what is left to know is whether a replica does. */
export const waitsForReplica = (breaker: Breaker): boolean => breaker.state === 'Open' && breaker.good > 0;

/**
 * Two good checks in a row of the operator and a replica that says the same. Where there is no replica, one that is
 * about to start is waited for only if jobs wait and a replica has met the outage: one that was over before any came
 * costs no job a second start. One that says nothing, crashing for instance, is not waited for for ever: the first
 * restarts after it go one by one.
 */
function isOver(open: Open, evidence: Evidence): boolean {
  if (evidence.sick === 'OperatorCannotReach') return evidence.steady;
  const { good, goodSince } = open;
  if (good < GOOD_CHECKS || goodSince === undefined) return false;
  if (evidence.lastGoodAt !== undefined && evidence.lastGoodAt >= goodSince) return true;
  if (evidence.counts.unhealthy > 0) return false;
  if (evidence.total === 0) return !open.metReplicas || evidence.backlog === false;
  return evidence.counts.healthy === 0 && evidence.now - goodSince >= SILENT_CANARY_MS;
}

/** Restarts of a minute after an outage: one, then two, then four. Undefined: as many as else. */
export function rampLimit(breaker: Breaker, now: Millis): number | undefined {
  if (breaker.state === 'Open') return 0;
  if (breaker.closedAt === undefined) return undefined;
  const minute = Math.floor((now - breaker.closedAt) / 60_000);
  return minute < 0 || minute > 2 ? undefined : 2 ** minute;
}
