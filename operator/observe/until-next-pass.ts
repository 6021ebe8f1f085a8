import type { Decision } from '../core/decision.ts';
import type { Millis } from '../core/known.ts';
import type { Observation } from './gather.ts';

/**
 * Blocks on the queue's stream from the tip of this very reading, so that nothing between the two is missed. Behind it, a
 * pool whose decision only news can change has its readings compared.
 */
export function armWaking({ state, redis, tip }: Observation, decision: Decision, woken: boolean): void {
  if (redis === undefined) return;
  if (decision.wake === 'none') return redis.unwatch();
  // The workers served and nothing has happened since: the pool waits from where it waited.
  if (tip === undefined) {
    if (!redis.keepWatching(decision.wake)) return redis.unwatch();
  } else {
    const changedNothing =
      decision.actions.length === 0 &&
      decision.drainSteps.length === 0 &&
      state.queue.ok &&
      state.queue.value.ready > 0;
    if (woken && changedNothing) redis.rest();
    redis.watch(tip, decision.wake);
  }
  redis.compareReadings(decision.sleepsForMs !== undefined);
}

/** What sleeps is looked at again when a Secret of it is to be read, for that is not watched. Changes nothing. */
export function nextLookInMs(
  { redis, againInMs, secretsDueInMs }: Pick<Observation, 'redis' | 'againInMs' | 'secretsDueInMs'>,
  { recheckAfterMs, sleepsForMs }: Pick<Decision, 'recheckAfterMs' | 'sleepsForMs'>,
): Millis {
  if (redis === undefined) return Math.min(recheckAfterMs, againInMs);
  if (sleepsForMs !== undefined && redis.isCompared()) return Math.min(sleepsForMs, secretsDueInMs, againInMs);
  return Math.min(recheckAfterMs, redis.slowPollInMs(), againInMs);
}
