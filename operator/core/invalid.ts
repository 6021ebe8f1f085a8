import type { PoolStatus } from '../api/pool.ts';
import type { Because } from './because.ts';
import { renderConditions } from './conditions.ts';
import type { Millis } from './known.ts';
import type { PoolEvent } from './pool-event.ts';
import { isoTime } from './time.ts';

/**
 * The status of a pool whose spec this operator cannot read: it came past an older definition of the resource.
 * Nothing is applied and what runs goes on. The account of retries is kept: a spec that was wrong for a minute is no new budget.
 */
export function statusOfInvalid(
  at: Readonly<{ generation: number; problems: readonly string[]; restarts?: PoolStatus['restarts']; now: Millis }>,
): Readonly<{
  status: PoolStatus;
  event: PoolEvent;
}> {
  const message = `the spec cannot be used: ${at.problems.join('; ')}. Correct it; running workers are left as they are`;
  const because: Because = { reason: 'InvalidPool', message: message.slice(0, 1024) };
  const verdict = {
    stalled: because,
    scalingHeld: because,
    queue: { observed: false, because: { reason: 'InvalidPool', message: 'not read, for the spec cannot be used' } },
  };
  return {
    event: { type: 'Warning', reason: because.reason, action: 'Reconcile', note: because.message },
    status: {
      observedGeneration: at.generation,
      decision: { ...because, at: isoTime(at.now) },
      conditions: renderConditions(verdict, [], at),
      ...(at.restarts === undefined ? {} : { restarts: at.restarts }),
    },
  };
}
