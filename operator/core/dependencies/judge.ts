import type { Millis } from '../known.ts';
import { type Breaker, CLOSED, GOOD_CHECKS, isNearlyOver, nextBreaker } from './breaker.ts';
import type { Check, DependencyMode, DependencyName, ReplicaCheck } from './check.ts';
import { type Counts, type Evidence, gatherEvidence, type Sick } from './evidence.ts';
import { sayVerdict } from './say.ts';
import { continueStreaks, countFailuresAnew, type Streaks } from './streaks.ts';

/** What one leader has seen of one dependency and cannot read again. */
export type DependencyMemory = Readonly<{
  breaker: Breaker;
  streaks: Streaks;
  /** Operator or replicas have reached it, as far as this leader can know; else it may not be there yet. */
  reached: boolean;
}>;

export const FIRST_DEPENDENCY_MEMORY: DependencyMemory = { breaker: CLOSED, streaks: {}, reached: false };

/** A leader that comes in an outage begins with an open breaker: closing it takes the same as ever. */
export const openMemory = (
  reason: 'DependencyUnavailable' | 'ReplicasCannotReach',
  { since, metReplicas, reached }: Readonly<{ since: Millis; metReplicas: boolean; reached: boolean }>,
): DependencyMemory => ({ breaker: { state: 'Open', reason, since, metReplicas, good: 0 }, streaks: {}, reached });

export type DependencyInput = Readonly<{
  now: Millis;
  name: DependencyName;
  mode: Exclude<DependencyMode, 'Off'>;
  operator: Check;
  /** Those whose worker runs, and that were not told to go. */
  replicas: readonly ReplicaCheck[];
  /** Failed checks in a row that make a replica sick. */
  failureThreshold: number;
  replicaFreshMs: Millis;
  /** Not every replica is of one template: what differs between them may be the template. */
  rollingOut: boolean;
  backlog?: boolean;
  memory: DependencyMemory;
}>;

/** A replica that alone cannot reach what the operator and the others can. */
export type LocalFault = Readonly<{
  uid: string;
  name: string;
  dependency: DependencyName;
  since: Millis;
  because: string;
}>;

export type BreakerState = 'Closed' | 'HalfOpen' | 'Open';

/** What is thought of one dependency, and what follows. */
export type Verdict = Readonly<{
  name: DependencyName;
  mode: Exclude<DependencyMode, 'Off'>;
  sick: Sick;
  message: string;
  breaker: BreakerState;
  /** Nothing is restarted or removed, and nothing added but the first replica. */
  frozen: boolean;
  /** Where there is no replica, one may start all the same. */
  canary: boolean;
  /** Why nothing is restarted; more than `frozen`, for what is unknown restarts nothing either. */
  noRestarts?: string;
  /** Replicas to restart, those that have failed longest first. */
  local: readonly LocalFault[];
  counts: Counts;
  /** Something is not well, or not known: the operator checks at the pace of the replicas. */
  alert: boolean;
  memory: DependencyMemory;
}>;

/** One look at one dependency. */
export function judge(input: DependencyInput): Verdict {
  const { name, mode, memory, now } = input;
  const streaks = continueStreaks(memory.streaks, input.replicas);
  const evidence = gatherEvidence({ ...input, streaks });
  const breaker = mode === 'Required' ? nextBreaker(memory.breaker, evidence) : CLOSED;
  const closes = memory.breaker.state === 'Open' && breaker.state === 'Closed';
  const reached = memory.reached || isReached(evidence);
  const after = { breaker, streaks: closes ? countFailuresAnew(streaks, now) : streaks, reached };
  const frozen = breaker.state === 'Open';
  const message = sayVerdict(name, { evidence, breaker, mode, reached });
  const isKnown = evidence.operator.ok || mode === 'Optional';
  const noRestarts = frozen || !isKnown ? message : undefined;
  return {
    name,
    mode,
    sick: evidence.sick,
    message,
    breaker: breakerState(breaker),
    frozen,
    canary: frozen && !isNearlyOver(breaker, now),
    ...(noRestarts === undefined ? {} : { noRestarts }),
    local: noRestarts === undefined ? localFaults(input, evidence, after.streaks) : [],
    counts: evidence.counts,
    alert: frozen || evidence.sick !== 'Nobody',
    memory: after,
  };
}

const isReached = ({ operator, counts }: Evidence): boolean => (operator.ok && operator.value.ok) || counts.healthy > 0;

const breakerState = (breaker: Breaker): BreakerState => {
  if (breaker.state === 'Closed') return 'Closed';
  return breaker.good >= GOOD_CHECKS ? 'HalfOpen' : 'Open';
};

/**
 * Only what the operator has seen to be well since the replica fails, and more of the others reach than are silent. A
 * refused replica is one of old credentials only if another of its own template is let in: else it is the template.
 */
function localFaults(input: DependencyInput, evidence: Evidence, streaks: Streaks): readonly LocalFault[] {
  const { operator, replicas, sick } = evidence;
  if (input.mode === 'Optional' || sick !== 'Replica' || !operator.ok || input.rollingOut) return [];
  const faults = replicas.flatMap((replica): readonly LocalFault[] => {
    const { uid, name, templateHash, check } = replica;
    const streak = streaks[uid];
    if (!check.ok || check.value.ok || streak === undefined || streak.length < input.failureThreshold) return [];
    if (operator.at < streak.since) return [];
    const others = replicas.filter((other) => other.uid !== uid);
    const well = others.filter((other) => other.check.ok && other.check.value.ok);
    const silent = others.filter((other) => !other.check.ok);
    if (well.length < silent.length) return [];
    const isLetIn = well.some((other) => other.templateHash === templateHash);
    if (check.value.kind === 'Refused' && !isLetIn) return [];
    return [{ uid, name, dependency: input.name, since: streak.since, because: check.value.because }];
  });
  return faults.sort((a, b) => a.since - b.since || (a.uid < b.uid ? -1 : 1));
}
