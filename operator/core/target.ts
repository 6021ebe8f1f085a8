import type { Because } from './because.ts';
import type { Known, Millis } from './known.ts';
import { usableMean } from './mean-duration.ts';
import { count, sayLength } from './sentence.ts';
import { size } from './sizing.ts';
import type { DeploymentView, PoolState, QueueSnapshot } from './state.ts';
import { greatest, greatestLeavesAt, remember, type WantedEntry } from './window.ts';

/** The number to steer to (`wanted`), the number to write now (`replicas`), and why. */
export type Target = Readonly<{
  wanted: number;
  replicas: number;
  because: Because;
  window: readonly WantedEntry[];
  /** When the answer can change although nothing else does. */
  changesAt?: Millis;
}>;

export type TargetInput = Readonly<{
  state: PoolState;
  queue: Known<QueueSnapshot>;
  deployment: DeploymentView | null;
  current: number;
}>;

/** Never shorter than the wait target: a pool that sheds replicas faster than jobs wait would only start them again. */
const windowOf = ({ pool }: PoolState): Millis =>
  Math.max(pool.spec.scaling.scaleDownWindowMs, pool.spec.scaling.targetWaitMs);

/** Up at once and in one step; down only when every guard agrees; not at all on what is unknown. */
export function chooseTarget(input: TargetInput): Target {
  const { state, queue, current } = input;
  if (!queue.ok) return holdUnknown(input, queue.because);
  const { scaling, workers } = state.pool.spec;
  const meanDurationMs = usableMean(state.memory.meanDuration, state.now);
  const { coldStartMs } = state.memory;
  const sized = size({
    ready: queue.value.ready,
    paused: queue.value.paused,
    active: queue.value.active,
    slots: workers.concurrency,
    targetWaitMs: scaling.targetWaitMs,
    ...(meanDurationMs === undefined ? {} : { meanDurationMs }),
    ...(coldStartMs === undefined ? {} : { coldStartMs }),
    currentReplicas: current,
    minReplicas: scaling.minReplicas,
    maxReplicas: scaling.maxReplicas,
  });
  const window = remember(state.memory.wanted, { at: state.now, wanted: sized.wanted }, windowOf(state));
  if (sized.wanted >= current) return { wanted: sized.wanted, replicas: sized.wanted, because: sized.because, window };
  return stepDown(input, { queue: queue.value, sized: sized.wanted, because: sized.because, window });
}

/**
 * The number that runs stays, and enters the window, so that the first good reading after an outage scales nothing
 * down at once. Only the floor still holds: it asks nothing of the queue.
 */
function holdUnknown({ state, current }: TargetInput, because: string): Target {
  const { minReplicas, maxReplicas } = state.pool.spec.scaling;
  const replicas =
    state.redis.ok || state.redis.trouble === 'RedisUnreachable'
      ? Math.max(current, Math.min(minReplicas, maxReplicas))
      : current;
  const window = remember(state.memory.wanted, { at: state.now, wanted: replicas }, windowOf(state));
  const message = `the queue cannot be read: ${because}; ${count(replicas, 'replica')} ${replicas === 1 ? 'stays' : 'stay'} until it can`;
  return { wanted: replicas, replicas, because: { reason: 'QueueUnknown', message }, window };
}

type Lower = Readonly<{ queue: QueueSnapshot; sized: number; because: Because; window: readonly WantedEntry[] }>;

function stepDown(input: TargetInput, lower: Lower): Target {
  const { state, current } = input;
  const { window, because } = lower;
  const windowMs = windowOf(state);
  const firstWindowEnds = state.memory.watchingSince + windowMs;
  if (state.now < firstWindowEnds) {
    const left = sayLength(firstWindowEnds - state.now);
    const message = `${because.message}; held at ${current} until a whole window was watched, ${left} more`;
    return {
      wanted: current,
      replicas: current,
      because: { reason: 'WatchingFirstWindow', message },
      window,
      changesAt: firstWindowEnds,
    };
  }
  const most = Math.min(greatest(window), state.pool.spec.scaling.maxReplicas);
  const wanted = Math.min(current, Math.max(lower.sized, most));
  const guard =
    wanted < current ? (runningJobs(input, lower.queue) ?? rollout(input.deployment) ?? starting(state)) : undefined;
  if (guard !== undefined) {
    const message = `${because.message}; ${guard.message}, so ${current} stay instead of ${wanted}`;
    return { wanted, replicas: current, because: { reason: guard.reason, message }, window };
  }
  if (wanted === lower.sized) return { wanted, replicas: wanted, because, window };
  const leavesAt = greatestLeavesAt(window, windowMs);
  const message = `${because.message}; held at ${wanted} because ${most} ${most === 1 ? 'was' : 'were'} wanted within the last ${sayLength(windowMs)}`;
  return {
    wanted,
    replicas: wanted,
    because: { reason: 'HeldByWindow', message },
    window,
    ...(leavesAt === undefined ? {} : { changesAt: leavesAt }),
  };
}

/** The ReplicaSet picks its victims without asking who works: nothing is taken away while any job runs. */
function runningJobs({ state }: TargetInput, queue: QueueSnapshot): Because | undefined {
  const replicas = state.replicas.ok ? state.replicas.value : [];
  const reported = replicas.reduce((sum, { report }) => sum + (report.ok ? report.value.active : 0), 0);
  const active = Math.max(queue.active, reported);
  if (active === 0 && state.replicas.ok) return undefined;
  const message = state.replicas.ok
    ? `${count(active, 'job')} still ${active === 1 ? 'runs' : 'run'}`
    : 'the replicas cannot be seen';
  return { reason: 'HeldByRunningJobs', message };
}

/** A start that takes longer is one that fails; such a replica holds nothing up. */
const START_LIMIT_MS: Millis = 60_000;

/**
 * A process that has just begun may not hear SIGTERM yet: Node as the first process of a container ignores it until its
 * handler is there, and would then work on, unseen, until its grace has passed. It is removed once it is ready.
 */
function starting({ replicas, now }: PoolState): Because | undefined {
  const young = (replicas.ok ? replicas.value : []).filter(
    (replica) => !replica.ready && !replica.terminating && now - replica.createdAt < START_LIMIT_MS,
  );
  if (young.length === 0) return undefined;
  return {
    reason: 'HeldByStart',
    message: `${count(young.length, 'replica')} ${young.length === 1 ? 'is' : 'are'} starting`,
  };
}

/** A Deployment splits a decrement over its ReplicaSets. */
function rollout(deployment: DeploymentView | null): Because | undefined {
  if (deployment === null || isRolledOut(deployment)) return undefined;
  return { reason: 'HeldByRollout', message: 'a rollout is under way' };
}

/** Every replica is of the template that was applied last. */
export const isRolledOut = ({ generation, observedGeneration, status }: DeploymentView): boolean =>
  observedGeneration >= generation && status.updated === status.replicas;
