import { count, sayLength } from '../sentence.ts';
import { sizePool } from '../size-pool.ts';
import type { Rule } from './bound.ts';

/** Jobs that run now keep their slots, also when more run than the queue would let start today. */
const globalConcurrency: Rule = (replicas, { state, queue }) => {
  if (queue.concurrency === undefined) return undefined;
  const to = Math.ceil(Math.max(queue.concurrency, queue.active) / state.pool.spec.workers.concurrency);
  if (replicas <= to) return undefined;
  const clause = `held to ${to} because the queue's global concurrency lets ${count(queue.concurrency, 'job')} run at once`;
  return { to, reason: 'HeldByGlobalConcurrency', clause };
};

/** A waiting job that the rate limit keeps from starting within the wait target needs no slot in that time. */
const rateLimit: Rule = (replicas, { state, queue, current }) => {
  if (queue.rateLimit === undefined) return undefined;
  const { max, durationMs } = queue.rateLimit;
  const { targetWaitMs } = state.pool.spec.scaling;
  const startable = max * (1 + Math.floor(targetWaitMs / durationMs));
  if (queue.ready <= startable) return undefined;
  const to = sizePool(state, { ...queue, ready: startable }, current).need;
  if (replicas <= to) return undefined;
  const clause = `held to ${to} because the queue's rate limit of ${count(max, 'job')} in ${sayLength(durationMs)} lets at most ${startable} start within ${sayLength(targetWaitMs)}`;
  return { to, reason: 'HeldByRateLimit', clause };
};

/** No job starts at all for a while: another replica would wait with the others. */
const limited: Rule = (replicas, { state, queue, current }) => {
  if (queue.limitedForMs === undefined || replicas <= current) return undefined;
  const clause = `held at ${current} while the queue is rate limited, ${sayLength(queue.limitedForMs)} more`;
  return { to: current, reason: 'HeldByRateLimit', clause, changesAt: state.now + queue.limitedForMs };
};

/** Jobs that still run elsewhere (a lost replica's, one that is leaving) are no reason to start one for a paused queue. */
const paused: Rule = (replicas, { queue, current }) => {
  if (!queue.paused || replicas <= current) return undefined;
  return { to: current, reason: 'QueuePaused', clause: `held at ${current} while the queue is paused` };
};

/** What the queue itself allows: replicas beyond it would have nothing to do. */
export const queueCaps: readonly Rule[] = [globalConcurrency, rateLimit, limited, paused];
