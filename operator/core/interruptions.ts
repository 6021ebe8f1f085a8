import type { Decision, Interruption, InterruptionCause } from './decision.ts';
import type { Millis } from './known.ts';
import { newestTemplateOf } from './newest-template.ts';
import type { PoolEvent } from './pool-event.ts';
import type { InterruptionMemory, ScaleMemory } from './scale-memory.ts';
import { count } from './sentence.ts';
import type { Ending, PoolState } from './state.ts';

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
  const because = `${replica} ${what.join(' and ')} when ${who}`;
  return { cause, replica, jobs: handedBack + lost, because, event: eventOf(because) };
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

const eventOf = (because: string): PoolEvent => ({
  type: 'Warning',
  reason: 'JobsInterrupted',
  action: 'Scale',
  note: because,
});

/** What a leader knows when it has told the interruptions, and has not carried out anything yet. */
export const withCounted = (memory: ScaleMemory, { memory: after }: Pick<Decision, 'memory'>): ScaleMemory => ({
  ...memory,
  interruptions: { ...(memory.interruptions ?? NOTHING), counted: after.interruptions?.counted ?? [] },
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
