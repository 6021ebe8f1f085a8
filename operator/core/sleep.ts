import { isBeside } from './beside.ts';
import { isIdle } from './counterfactual/account.ts';
import { busyHourLeavesAt } from './counterfactual/status.ts';
import type { Decision } from './decision.ts';
import type { Millis } from './known.ts';
import { meanExpiresAt } from './mean-duration.ts';
import type { QueueView } from './queue-view.ts';
import type { ScaleMemory } from './scale-memory.ts';
import type { PoolState } from './state.ts';
import type { Target } from './target.ts';

/** Even where nothing changes at all, a pool is decided on anew so often: what was missed, by whichever defect, is seen then. */
const LONGEST_SLEEP_MS: Millis = 30 * 60_000;

/** A decision, but for when to look again. */
export type Decided = Omit<Decision, 'interruptions' | 'wake' | 'recheckAfterMs' | 'sleepsForMs'>;
type SleepInput = Readonly<{ state: PoolState; queue: QueueView; target: Target; decided: Decided }>;

/**
 * For how long only news can change what was decided: a change in the cluster, another reading of the queue, another
 * outcome of a check, or one of these that cannot be read any more. A pass that is left out until then would have decided
 * nothing. Undefined for a pool that has something under way, or of which something is known only by a pass over it, as
 * the numbers of its replicas are.
 */
export function sleepFor(input: SleepInput): Millis | undefined {
  const { state, target, decided } = input;
  if (!isEmpty(input) || !isSettled(decided) || !isKnown(state)) return undefined;
  const { now, random } = state;
  const moments = [
    // A thousand pools that fell asleep together are not all looked at together.
    now + LONGEST_SLEEP_MS * (0.75 + random / 4),
    state.queue.ok ? state.queue.value.nextDelayedAt : undefined,
    target.changesAt,
    decided.care.plan.lookAt,
    meanExpiresAt(decided.memory),
    busyHourLeavesAt(decided.status),
  ];
  const sleepMs = Math.min(...moments.filter((moment) => moment !== undefined)) - now;
  return sleepMs > 0 ? sleepMs : undefined;
}

/** No job that waits, runs, or would start if the queue were not paused; and no replica. */
function isEmpty({ state: { pool, replicas }, queue: { queue }, target, decided: { memory } }: SleepInput): boolean {
  if (!queue.ok || queue.value.ready > 0 || queue.value.active > 0) return false;
  if (!replicas.ok || replicas.value.length > 0 || target.replicas > 0) return false;
  // Replicas of another rule go on to be counted for a while.
  return memory.account !== undefined && isIdle(memory.account, pool.spec.scaling);
}

/** Nothing is under way. */
const isSettled = ({ actions, drainSteps, deletion, makesToken, care, memory }: Decided): boolean =>
  actions.length + drainSteps.length === 0 &&
  deletion === undefined &&
  !makesToken &&
  !care.memory.alert &&
  isAtRest(memory);

const isAtRest = ({ drain, applyFailure }: ScaleMemory): boolean =>
  applyFailure === undefined &&
  drain.silence === undefined &&
  [drain.cordons, drain.removing, drain.failures].every((each) => Object.keys(each).length === 0);

/** Everything is known, and told of when it changes: a Deployment that is not the pool's is in no watch. */
const isKnown = ({ pool, redis, deployment, replicaSets, drain }: PoolState): boolean =>
  redis.ok && deployment.ok && replicaSets.ok && !isBeside(pool) && (drain === undefined || drain.token === 'present');
