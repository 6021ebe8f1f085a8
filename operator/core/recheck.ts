import type { WakePace } from './decision.ts';
import type { DrainPlan } from './drain/steps.ts';
import type { Millis } from './known.ts';
import type { QueueView } from './queue-view.ts';
import { needsPerson } from './stalled.ts';
import type { PoolState } from './state.ts';
import type { Target } from './target.ts';

/** With a backlog, running jobs or an unknown queue. */
const POLL_BUSY_MS: Millis = 1000;
/** Behind the events, in case one was lost: the slow poll is the truth. */
const POLL_QUIET_MS: Millis = 30_000;
/** What was readable a moment ago comes back by itself; the connection has its own pauses. */
const POLL_UNKNOWN_MS: Millis = 2000;
/** A Secret is read, not watched: the operator may `get` it and no more. */
export const POLL_TROUBLE_MS: Millis = 5000;

const SOONEST_MS: Millis = 20;

/** How the queue's events wake the pool until then. */
export function paceOf({ queue }: QueueView, { replicas, drain }: Target): WakePace {
  // A cordoned replica is given back to work at once.
  if (replicas === 0 || (drain !== undefined && drain.draining.length > 0)) return 'instant';
  return queue.ok && queue.value.ready === 0 ? 'paced' : 'none';
}

/** When to look again although nothing happens. */
export function recheckAfter(
  state: PoolState,
  {
    queue: { queue },
    target,
    lookAt = Number.POSITIVE_INFINITY,
  }: Readonly<{ queue: QueueView; target: Target; lookAt?: Millis | undefined }>,
): Millis {
  if (!queue.ok) {
    const pollMs = needsPerson(state.redis) ? POLL_TROUBLE_MS : POLL_UNKNOWN_MS;
    return Math.max(SOONEST_MS, Math.min(pollMs, lookAt - state.now));
  }
  const { ready, paused, active, nextDelayedAt } = queue.value;
  const busy = active > 0 || (ready > 0 && !paused) || target.wanted < target.replicas;
  const moments = [
    lookAt,
    state.now + (busy ? POLL_BUSY_MS : POLL_QUIET_MS),
    // Nothing promotes a delayed job at zero replicas: the pool is woken when the first becomes due.
    ...(nextDelayedAt === undefined ? [] : [nextDelayedAt]),
    ...(target.changesAt === undefined ? [] : [target.changesAt]),
    ...drainMoment(state, target.drain),
  ];
  return Math.max(SOONEST_MS, Math.min(...moments) - state.now);
}

/** After a call, to see what has come of it. */
const POLL_STEP_MS: Millis = 100;

/** A cordon is renewed every 15 s. */
const POLL_KEEP_MS: Millis = 5000;

function drainMoment({ now, drain: facts }: PoolState, drain: DrainPlan | undefined): readonly Millis[] {
  if (drain === undefined || drain.memory.atRest) return [];
  if (drain.steps.length > 0 || facts?.asked === false) return [now + POLL_STEP_MS];
  if (drain.memory.onlyKeeps) return [now + POLL_KEEP_MS];
  // What is idle only waits for Kubernetes, whose news start a pass by themselves; each pass costs commands of Redis.
  return [now + POLL_BUSY_MS];
}
