import type { Millis } from '../known.ts';
import { type Check, type ReplicaCheck, weigh } from './check.ts';
import type { Streaks } from './streaks.ts';

/**
 * Who is sick. Crashes never enter: only checks of the dependency do.
 *
 * | operator | replicas | |
 * |---|---|---|
 * | fails | at least one fails, or none says anything | DependencyUnavailable |
 * | succeeds, or is unknown | max(2, half) fail | ReplicasCannotReach |
 * | fails | succeed | OperatorCannotReach |
 * | succeeds | some fail, others succeed | Replica |
 */
export type Sick =
  | 'Nobody'
  | 'DependencyUnavailable'
  | 'ReplicasCannotReach'
  | 'OperatorCannotReach'
  | 'Replica'
  | 'Unknown';

export type Counts = Readonly<{ healthy: number; unhealthy: number; unknown: number }>;

/** All that is known of one dependency at one moment. */
export type Evidence = Readonly<{
  now: Millis;
  sick: Sick;
  operator: Check;
  /** Replicas, each with what its last check is worth now. */
  replicas: readonly ReplicaCheck[];
  total: number;
  counts: Counts;
  /** When a replica's check last succeeded. */
  lastGoodAt?: Millis;
  /** A replica has succeeded twice in a row and none fails. */
  steady: boolean;
  /** Jobs wait; undefined while the queue is unknown. */
  backlog?: boolean;
}>;

export type EvidenceInput = Readonly<{
  now: Millis;
  operator: Check;
  replicas: readonly ReplicaCheck[];
  streaks: Streaks;
  /** A replica's good check counts for so long, the operator's own for longer. */
  replicaFreshMs: Millis;
  backlog?: boolean;
}>;

/** So long a good check of the operator's own says something: it checks once a minute when all is well. */
export const OPERATOR_FRESH_MS: Millis = 150_000;

export function gatherEvidence(input: EvidenceInput): Evidence {
  const { now, streaks, backlog } = input;
  const operator = weigh(input.operator, { now, freshMs: OPERATOR_FRESH_MS });
  const replicas = input.replicas.map((replica) => ({
    ...replica,
    check: weigh(lastSaid(replica, streaks), { now, freshMs: input.replicaFreshMs }),
  }));
  const counts = countChecks(replicas);
  const goods = replicas.flatMap(({ check }) => (check.ok && check.value.ok ? [check.at] : []));
  return {
    now,
    sick: whoIsSick(operator, counts),
    operator,
    replicas,
    total: replicas.length,
    counts,
    ...(goods.length === 0 ? {} : { lastGoodAt: Math.max(...goods) }),
    steady: counts.unhealthy === 0 && replicas.some(({ uid }) => isSteady(streaks, uid)),
    ...(backlog === undefined ? {} : { backlog }),
  };
}

const isSteady = (streaks: Streaks, uid: string): boolean => {
  const streak = streaks[uid];
  return streak !== undefined && streak.result.ok && streak.length >= 2;
};

/** A replica that says nothing now has said something before. */
function lastSaid({ uid, check }: ReplicaCheck, streaks: Streaks): Check {
  const streak = streaks[uid];
  if (check.ok || streak === undefined || streak.result.ok) return check;
  return { ok: true, value: streak.result, at: streak.at };
}

const countChecks = (replicas: readonly ReplicaCheck[]): Counts => {
  const known = replicas.flatMap(({ check }) => (check.ok ? [check.value.ok] : []));
  const healthy = known.filter(Boolean).length;
  return { healthy, unhealthy: known.length - healthy, unknown: replicas.length - known.length };
};

function whoIsSick(operator: Check, { healthy, unhealthy }: Counts): Sick {
  if (operator.ok && !operator.value.ok) {
    if (unhealthy > 0) return 'DependencyUnavailable';
    // A refusal is an answer: without a replica that says the same it is the operator's own key that is wrong.
    return healthy > 0 || operator.value.kind === 'Refused' ? 'OperatorCannotReach' : 'DependencyUnavailable';
  }
  if (unhealthy >= Math.max(2, (healthy + unhealthy) / 2)) return 'ReplicasCannotReach';
  if (!operator.ok) return 'Unknown';
  return unhealthy > 0 ? 'Replica' : 'Nobody';
}
