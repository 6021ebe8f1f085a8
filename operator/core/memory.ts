import { parseDuration } from '../api/duration.ts';
import type { PoolStatus } from '../api/pool.ts';
import { firstHealthMemory } from './health/memory.ts';
import { FIRST_DRAIN_MEMORY } from './drain/view.ts';
import type { Millis } from './known.ts';
import type { ScaleMemory } from './scale-memory.ts';
import type { ReplicaView } from './state.ts';
import { parseIsoTime } from './time.ts';

/** What a new leader knows of a pool: nothing but what the status kept. */
export function firstMemory(status: PoolStatus | undefined, now: Millis): ScaleMemory {
  const meanMs = parseDuration(status?.queue?.meanDuration ?? '');
  const meanAt = parseIsoTime(status?.queue?.meanDurationAt);
  return {
    watchingSince: now,
    wanted: [],
    counters: {},
    drain: FIRST_DRAIN_MEMORY,
    started: [],
    raises: [],
    corrections: [],
    health: firstHealthMemory(status, now),
    ...wayBegun(status),
    ...(meanMs === undefined || meanAt === undefined ? {} : { meanDuration: { ms: meanMs, at: meanAt } }),
  };
}

/** Where the pool was scaled, the leader before has told of the way that it was on. */
function wayBegun(status: PoolStatus | undefined): Pick<ScaleMemory, 'raisingTo'> {
  const { current = 0, wanted = 0 } = status?.replicas ?? {};
  const isScaled = status?.conditions?.some((each) => each.type === 'ScalingActive' && each.status === 'True');
  return isScaled === true && wanted > current ? { raisingTo: wanted } : {};
}

/**
 * C: from created to Ready of the replica that started last. Each is measured once, when it is first seen ready: one that
 * was not ready for a while and is again has a new time of Ready, and its age would be taken for a slow start. Of those
 * that were ready before this leader came that cannot be told apart, so the fastest of them counts until one starts.
 * Kubernetes keeps these times in whole seconds.
 */
export function learnColdStart(
  { coldStartMs, started, watchingSince }: Pick<ScaleMemory, 'coldStartMs' | 'started' | 'watchingSince'>,
  replicas: readonly ReplicaView[],
): Pick<ScaleMemory, 'coldStartMs' | 'started'> {
  const known = new Set(started);
  const ready = replicas.flatMap(({ uid, ready, readyAt, createdAt }) =>
    ready && readyAt !== undefined && !known.has(uid) ? [{ uid, readyAt, createdAt }] : [],
  );
  const took = (replica: (typeof ready)[number]): Millis => Math.max(0, replica.readyAt - replica.createdAt);
  const latest = ready.filter(({ createdAt }) => createdAt >= watchingSince).sort((a, b) => b.readyAt - a.readyAt)[0];
  const guess = ready.length === 0 ? undefined : Math.min(...ready.map(took));
  const learned = latest === undefined ? (coldStartMs ?? guess) : took(latest);
  const present = new Set(replicas.map(({ uid }) => uid));
  return {
    started: [...started.filter((uid) => present.has(uid)), ...ready.map(({ uid }) => uid)],
    ...(learned === undefined ? {} : { coldStartMs: learned }),
  };
}
