import { usableMean } from './mean-duration.ts';
import { type Sizing, sizeToQueue } from './sizing.ts';
import type { PoolState, QueueSnapshot } from './state.ts';

/** What a queue needs of a pool, by the pool's spec and by what was learned of its jobs and starts. */
export function sizePool(
  { pool, memory, now, replicas }: Pick<PoolState, 'pool' | 'memory' | 'now' | 'replicas'>,
  queue: Pick<QueueSnapshot, 'ready' | 'paused' | 'active'>,
  currentReplicas: number,
): Sizing {
  const { scaling, workers } = pool.spec;
  const mean = usableMean(memory, now);
  const { coldStartMs } = memory;
  return sizeToQueue({
    ready: queue.ready,
    paused: queue.paused,
    active: queue.active,
    slots: workers.concurrency,
    targetWaitMs: scaling.targetWaitMs,
    ...(mean === undefined ? {} : { meanDurationMs: mean.ms }),
    ...(coldStartMs === undefined ? {} : { coldStartMs }),
    startedReplicas: startedOf(replicas, currentReplicas),
  });
}

/**
 * Not those that are starting: a job that comes while they do waits for their start as much as the one that they were
 * made for (docs/adr/0013-cold-start-until-started.md). One that was ready and is not now could take a job without a start.
 */
function startedOf(replicas: PoolState['replicas'], currentReplicas: number): number {
  if (!replicas.ok) return currentReplicas;
  const started = replicas.value.filter(({ readyAt, terminating }) => readyAt !== undefined && !terminating);
  return Math.min(currentReplicas, started.length);
}
