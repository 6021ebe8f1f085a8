import type { Because } from './because.ts';
import { handsOffUntil, recentCorrections, sayHandsOff } from './corrections.ts';
import { count } from './sentence.ts';
import type { Autoscaler, PoolState } from './state.ts';
import type { Target } from './target.ts';

type At = Readonly<{ state: PoolState; current: number }>;

/**
 * What was decided is not to be carried out: the user wants nothing to be changed, or somebody else scales. The number
 * that runs stays, and the condition ScalingActive says why.
 */
export function holdTarget(target: Target, at: At): Target {
  const { mode } = at.state.pool.spec;
  switch (mode) {
    case 'Auto':
      return leaveToOthers(target, at);
    case 'Recommend':
      return recommend(target, at);
    case 'Paused': {
      const message = `spec.mode is Paused: nothing is changed, ${stay(at.current)}`;
      return keepAll(target, at, { reason: 'Paused', message });
    }
  }
}

const stay = (current: number): string => `${count(current, 'replica')} ${current === 1 ? 'stays' : 'stay'}`;

const keepAll = (target: Target, { current }: At, because: Because): Target => ({
  ...target,
  wanted: current,
  replicas: current,
  because,
  bounds: [],
  held: because,
});

/** The number that the pool would be steered to, with its reason; nobody goes there. */
function recommend(target: Target, { current }: At): Target {
  const clause = `recommended only, ${stay(current)}`;
  const { reason, message } = target.because;
  return {
    ...target,
    replicas: current,
    because: { reason, message: `${message}; ${clause}` },
    held: target.held ?? {
      reason: 'Recommend',
      message: `${target.wanted} would be right, ${stay(current)}: spec.mode is Recommend`,
    },
  };
}

function leaveToOthers(target: Target, at: At): Target {
  const { state } = at;
  const [autoscaler] = state.autoscalers;
  if (autoscaler !== undefined) {
    const message = `${sayAutoscaler(autoscaler)} scales the Deployment ${state.pool.name}, ${stay(at.current)} as it sets them while it is there: delete it, or set spec.mode to Recommend`;
    return keepAll(target, at, { reason: 'OtherAutoscaler', message });
  }
  const until = handsOffUntil(state.memory.corrections, state.now);
  if (until === undefined || state.now >= until) return target;
  const message = sayHandsOff(recentCorrections(state.memory.corrections, state.now), until);
  return { ...keepAll(target, at, { reason: 'HandsOff', message }), changesAt: until };
}

const sayAutoscaler = ({ kind, name }: Autoscaler): string => `${kind} ${name}`;
