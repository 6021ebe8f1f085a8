import type { Because } from './because.ts';
import { applyRules, becauseOf, type Bound, type BoundContext, changesOf, type Freeze } from './bounds/bound.ts';
import { healthRules } from './bounds/freeze.ts';
import { floorChangesAt, floorOf } from './bounds/floors.ts';
import { limits } from './bounds/limits.ts';
import { paceRules } from './bounds/pace.ts';
import { removalRules } from './bounds/removal.ts';
import { windowRules } from './bounds/window.ts';
import { drainTo } from './drain/drain-to.ts';
import type { DrainPlan } from './drain/steps.ts';
import type { Known, Millis } from './known.ts';
import { count } from './sentence.ts';
import { sizePool } from './size-pool.ts';
import type { Sizing } from './sizing.ts';
import type { DeploymentView, PoolState, QueueSnapshot } from './state.ts';
import { remember, type WantedEntry, windowOf } from './window.ts';

/** The number to steer to (`wanted`), the number to write now (`replicas`), and why. */
export type Target = Readonly<{
  wanted: number;
  replicas: number;
  because: Because;
  /** The rules that bound the number, in the order in which they were asked. */
  bounds: readonly Bound[];
  window: readonly WantedEntry[];
  /** What to do so that the replicas come down to `wanted`, or work again; absent where they cannot be told. */
  drain?: DrainPlan;
  /** Why the pool is not scaled by its queue now. */
  held?: Because;
  /** When the answer can change although nothing else does. */
  changesAt?: Millis;
}>;

export type TargetInput = Readonly<{
  state: PoolState;
  queue: Known<QueueSnapshot>;
  deployment: DeploymentView | null;
  current: number;
  /** The queue is unknown because its keys are gone. */
  vanished?: boolean;
  freeze?: Freeze | undefined;
  /** UIDs of replicas that are to take no new job because they have failed. */
  failed?: readonly string[] | undefined;
}>;

/**
 * What the queue needs, then every rule that has a say, in this order: the limits of queue and pool; the window, for
 * which that number is remembered, on the way down; what may be added or removed at this moment. Up at once and in one step; down
 * only when every rule agrees; not at all on what is unknown.
 */
export function chooseTarget(input: TargetInput): Target {
  const { state, queue, deployment, current, freeze, failed } = input;
  if (!queue.ok) return holdUnknown(input, queue.because);
  const sizing = sizePool(state, queue.value, current);
  return boundTarget(sizing, {
    state,
    queue: queue.value,
    deployment,
    current,
    ...(freeze === undefined ? {} : { freeze }),
    failed,
  });
}

function boundTarget(sizing: Sizing, at: Omit<BoundContext, 'window'> & Pick<TargetInput, 'failed'>): Target {
  const unseen: BoundContext = { ...at, window: [] };
  const asked = applyRules({ replicas: sizing.need, bounds: [] }, limits, unseen);
  const { memory, now } = at.state;
  const window = remember(memory.wanted, { at: now, wanted: asked.replicas }, windowOf(at.state));
  const context: BoundContext = { ...at, window };
  const steered = applyRules(asked, [...windowRules, ...healthRules], context);
  const drain = drainTo(steered.replicas, at);
  const { replicas, bounds } = applyRules(steered, [...paceRules, ...removalRules(drain)], context);
  const changesAt = earliest([...changesOf(bounds), floorChangesAt(at.state)]);
  return {
    wanted: steered.replicas,
    replicas,
    because: becauseOf(sizing.because, bounds),
    bounds,
    window,
    ...('plan' in drain ? { drain: drain.plan } : {}),
    ...(changesAt === undefined ? {} : { changesAt }),
  };
}

/**
 * The number that runs stays, and enters the window, so that the first good reading after an outage scales nothing
 * down at once; not so where the keys are gone, for that is believed only after a window anyway. Only the floor still
 * holds: it asks nothing of the queue.
 */
function holdUnknown(
  { state, current, deployment, freeze, failed, vanished = false }: TargetInput,
  because: string,
): Target {
  const floor = floorOf(state);
  const reachable = freeze === undefined && (state.redis.ok || state.redis.trouble === 'RedisUnreachable');
  const replicas = reachable ? Math.max(current, floor) : current;
  const entry = { at: state.now, wanted: vanished ? floor : replicas };
  const window = remember(state.memory.wanted, entry, windowOf(state));
  const message = `the queue cannot be read: ${because}; ${count(replicas, 'replica')} ${replicas === 1 ? 'stays' : 'stay'} until it can`;
  const held: Because = { reason: 'QueueUnknown', message };
  const changesAt = floorChangesAt(state);
  const drain = drainTo(replicas, { state, deployment, failed });
  return {
    wanted: replicas,
    replicas,
    because: held,
    bounds: [],
    window,
    held,
    ...('plan' in drain ? { drain: drain.plan } : {}),
    ...(changesAt === undefined ? {} : { changesAt }),
  };
}

function earliest(moments: readonly (Millis | undefined)[]): Millis | undefined {
  const known = moments.filter((moment) => moment !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
