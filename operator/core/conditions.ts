import type { Condition, ConditionType } from '../api/pool.ts';
import type { HealthFact } from './health/say.ts';
import type { Millis } from './known.ts';
import { firstLine } from './sentence.ts';
import { isoTime } from './time.ts';

/** What a decision says of itself, before it becomes conditions. */
export type Verdict = Readonly<{
  /** A person must act. */
  stalled?: Say;
  /** A new generation is on its way. */
  reconciling?: Say;
  /** Why it is ready, when not because it is applied. */
  ready?: Say;
  /** Scaling is not decided from the queue now. */
  scalingHeld?: Say;
  queue: Readonly<{ observed: boolean; because: Say }>;
  dependencies?: HealthFact;
  restartBudget?: HealthFact;
}>;

type Say = Readonly<{ reason: string; message: string }>;
type Fact = Say & Readonly<{ type: ConditionType; status: 'True' | 'False' | 'Unknown' }>;

const MESSAGE_LIMIT = 1024;

/**
 * Ready=True: the spec of this generation is applied, the rollout is complete, nothing hinders the operator. Zero
 * replicas, a backlog or a sick dependency do not change it. Stalled=True only if a person must act.
 */
function factsOf({
  stalled,
  reconciling,
  ready,
  scalingHeld,
  queue,
  dependencies,
  restartBudget,
}: Verdict): readonly Fact[] {
  const hindered = stalled ?? reconciling;
  const notReady = hindered === undefined ? undefined : { ...hindered, status: 'False' as const };
  const applied = { reason: 'Applied', message: 'the pool is applied and rolled out' };
  return [
    { type: 'Ready', status: 'True', ...(ready ?? applied), ...notReady },
    reconciling === undefined
      ? { type: 'Reconciling', status: 'False', reason: 'UpToDate', message: 'nothing is on its way' }
      : { type: 'Reconciling', status: 'True', ...reconciling },
    stalled === undefined
      ? { type: 'Stalled', status: 'False', reason: 'NothingToDo', message: 'nobody needs to act' }
      : { type: 'Stalled', status: 'True', ...stalled },
    scalingHeld === undefined
      ? { type: 'ScalingActive', status: 'True', reason: 'FollowsQueue', message: 'replicas follow the queue' }
      : { type: 'ScalingActive', status: 'False', ...scalingHeld },
    { type: 'QueueObserved', status: queue.observed ? 'True' : 'False', ...queue.because },
    ...(dependencies === undefined ? [] : [{ type: 'DependenciesHealthy' as const, ...dependencies }]),
    ...(restartBudget === undefined ? [] : [{ type: 'RestartBudgetAvailable' as const, ...restartBudget }]),
  ];
}

/** `lastTransitionTime` changes only when the status does. */
export function renderConditions(
  verdict: Verdict,
  before: readonly Condition[],
  at: Readonly<{ now: Millis; generation: number }>,
): readonly Condition[] {
  return factsOf(verdict).map((fact) => {
    const old = before.find(({ type }) => type === fact.type);
    return {
      type: fact.type,
      status: fact.status,
      observedGeneration: at.generation,
      lastTransitionTime: old !== undefined && old.status === fact.status ? old.lastTransitionTime : isoTime(at.now),
      reason: fact.reason,
      message: firstLine(fact.message, MESSAGE_LIMIT),
    };
  });
}
