import { parseDuration } from '../api/duration.ts';
import type { PoolStatus } from '../api/pool.ts';
import type { Millis } from './known.ts';
import type { ReplicaView, ScaleMemory } from './state.ts';
import { parseIsoTime } from './time.ts';

/** What a new leader knows of a pool: nothing but what the status kept. */
export function firstMemory(status: PoolStatus | undefined, now: Millis): ScaleMemory {
  const meanMs = parseDuration(status?.queue?.meanDuration ?? '');
  const meanAt = parseIsoTime(status?.queue?.observedAt);
  return {
    watchingSince: now,
    wanted: [],
    counters: {},
    corrections: [],
    ...(meanMs === undefined || meanAt === undefined ? {} : { meanDuration: { ms: meanMs, at: meanAt } }),
  };
}

/** From created to Ready of the replica that became ready last; Kubernetes keeps these times in whole seconds. */
export function learnColdStart(before: Millis | undefined, replicas: readonly ReplicaView[]): Millis | undefined {
  const latest = replicas
    .filter((replica) => replica.ready && replica.readyAt !== undefined)
    .sort((a, b) => (b.readyAt ?? 0) - (a.readyAt ?? 0))[0];
  return latest?.readyAt === undefined ? before : Math.max(0, latest.readyAt - latest.createdAt);
}
