import { sayLength } from '../sentence.ts';
import { greatest, greatestLeavesAt, windowOf } from '../window.ts';
import type { Rule } from './bound.ts';

/** What was wanted before this leader came is not known, and may have been more. */
const firstWindow: Rule = (replicas, { state, current }) => {
  const changesAt = state.memory.watchingSince + windowOf(state);
  if (replicas >= current || state.now >= changesAt) return undefined;
  const left = sayLength(changesAt - state.now);
  const clause = `held at ${current} until a whole window was watched, ${left} more`;
  return { to: current, reason: 'WatchingFirstWindow', clause, changesAt };
};

/** Down only to the most that was wanted lately. */
const slidingWindow: Rule = (replicas, { state, current, window }) => {
  const most = Math.min(greatest(window), state.pool.spec.scaling.maxReplicas);
  const to = Math.min(current, Math.max(replicas, most));
  if (replicas >= current || to === replicas) return undefined;
  const windowMs = windowOf(state);
  const changesAt = greatestLeavesAt(window, windowMs);
  const clause = `held at ${to} because ${most} ${most === 1 ? 'was' : 'were'} wanted within the last ${sayLength(windowMs)}`;
  return { to, reason: 'HeldByWindow', clause, ...(changesAt === undefined ? {} : { changesAt }) };
};

/** From what the pool asks for now to what it is steered to. */
export const windowRules: readonly Rule[] = [firstWindow, slidingWindow];
