import type { Decision, PoolEvent } from './decision.ts';
import type { Millis } from './known.ts';
import { count } from './sentence.ts';
import { newestTemplateOf } from './newest-template.ts';
import type { PoolState } from './state.ts';

/** The end of one run of a replica's worker, as it told it itself. */
export type Ending = Readonly<{
  /** The pod's UID and the time: a container ends once in a second. */
  key: string;
  uid: string;
  replica: string;
  /** When the process ended, in whole seconds. */
  at: Millis;
  /** Jobs that it gave back to the queue, and that it could not give back: they are started again either way. */
  handedBack: number;
  lost: number;
  templateHash: string;
  /** The pod itself was told to go; else only its container has ended. */
  terminating: boolean;
  /** When that was asked. */
  deletedAt?: Millis;
  /** The cluster took it away: an eviction, a drained or lost node, a preemption. */
  disrupted: boolean;
  /** It had the mark of a replica that was proven idle. */
  marked: boolean;
}>;

/** `unknown`: by hand, with its pool, or by the lower number of an earlier leader. */
export type InterruptionCause = 'scale_down' | 'rollout' | 'restart' | 'disruption' | 'unknown';

export type Interruption = Readonly<{ cause: InterruptionCause; replica: string; jobs: number; because: string }>;

/** What one leader must know of its own deeds to say who ended a replica. */
export type InterruptionMemory = Readonly<{
  /** Endings that were counted, by key. */
  counted: readonly string[];
  /** UIDs of the replicas that it has restarted. */
  restarted: readonly string[];
  /** When it lowered the number. */
  loweredAt: readonly Millis[];
}>;

const NOTHING: InterruptionMemory = { counted: [], restarted: [], loweredAt: [] };

/** The controllers carry a lower number out within this time. */
const CARRIED_OUT_MS: Millis = 60_000;
/** A deletion is stamped by the clock of the API server. */
const CLOCKS_DIFFER_MS: Millis = 5_000;
/** No pod is told to go for a number that was written longer ago, and has ended by then. */
const KEPT_MS: Millis = 24 * 60 * 60_000;
const MOST_KEPT = 100;

/** A decision, and the jobs that were interrupted since the last: what ended before this leader came, an earlier one has counted. */
export function withInterruptions(state: PoolState, decision: Omit<Decision, 'interruptions'>): Decision {
  const { endings = [] } = state;
  const { counted } = state.memory.interruptions ?? NOTHING;
  const fresh = endings.filter(({ key, at }) => !counted.includes(key) && at >= state.memory.watchingSince);
  const interruptions = fresh.filter(({ handedBack, lost }) => handedBack + lost > 0).map((each) => tell(each, state));
  return {
    ...decision,
    interruptions,
    events: [...decision.events, ...interruptions.map(eventOf)],
    memory: { ...decision.memory, interruptions: remember(state, decision) },
  };
}

function tell(ending: Ending, state: PoolState): Interruption {
  const { cause, who } = causeOf(ending, state);
  const { replica, handedBack, lost } = ending;
  const what = [
    ...(handedBack === 0 ? [] : [`gave ${count(handedBack, 'job')} back to the queue`]),
    ...(lost === 0 ? [] : [`could not give ${count(lost, 'job')} back`]),
  ];
  return { cause, replica, jobs: handedBack + lost, because: `${replica} ${what.join(' and ')} when ${who}` };
}

/** What is known to be something else first; of what is left, a lower number is to blame wherever it may be. */
function causeOf(ending: Ending, state: PoolState): Readonly<{ cause: InterruptionCause; who: string }> {
  const { restarted, loweredAt } = state.memory.interruptions ?? NOTHING;
  const { uid, terminating, disrupted, marked, templateHash, deletedAt = ending.at } = ending;
  if (disrupted) return { cause: 'disruption', who: 'the cluster took it away' };
  if (!terminating) return { cause: 'restart', who: 'its container was restarted' };
  if (restarted.includes(uid)) return { cause: 'restart', who: 'it was restarted for its failure' };
  const newest = newestTemplateOf(state);
  if (newest !== undefined && newest !== templateHash) return { cause: 'rollout', who: 'a rollout replaced it' };
  const isLowered = loweredAt.some(
    (at) => deletedAt >= at - CLOCKS_DIFFER_MS && deletedAt <= at + CARRIED_OUT_MS + CLOCKS_DIFFER_MS,
  );
  if (marked || isLowered) return { cause: 'scale_down', who: 'the number of replicas was lowered' };
  return { cause: 'unknown', who: 'it was deleted, and not by this operator' };
}

const eventOf = ({ because }: Interruption): PoolEvent => ({
  type: 'Warning',
  reason: 'JobsInterrupted',
  action: 'Scale',
  note: because,
});

function remember(state: PoolState, { actions, deletion }: Pick<Decision, 'actions' | 'deletion'>): InterruptionMemory {
  const { now, endings = [], deployment, memory } = state;
  const { restarted, loweredAt } = memory.interruptions ?? NOTHING;
  const from = deployment.ok ? (deployment.value?.replicas ?? 0) : 0;
  const isLowered = actions.some(({ manifest }) => manifest.spec.replicas < from);
  return {
    counted: endings.map(({ key }) => key),
    restarted: [
      ...restarted.filter((uid) => uid !== deletion?.uid),
      ...(deletion === undefined ? [] : [deletion.uid]),
    ].slice(-MOST_KEPT),
    loweredAt: [...loweredAt.filter((at) => now - at < KEPT_MS), ...(isLowered ? [now] : [])].slice(-MOST_KEPT),
  };
}
