import { usableMean } from './mean-duration.ts';
import { type Sizing, sizeToQueue } from './sizing.ts';
import type { PoolState, QueueSnapshot } from './state.ts';

/** What a queue needs of a pool, by the pool's spec and by what was learned of its jobs and starts. */
export function sizePool(
  { pool, memory, now }: Pick<PoolState, 'pool' | 'memory' | 'now'>,
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
    currentReplicas,
  });
}
