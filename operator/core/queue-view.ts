import { known, type Known, unknown } from './known.ts';
import type { PoolState, QueueSnapshot } from './state.ts';

/** The queue as a decision may use it, and what the condition `QueueObserved` says. */
export type QueueView = Readonly<{
  queue: Known<QueueSnapshot>;
  observed: boolean;
  because: Readonly<{ reason: string; message: string }>;
  /** The queue was seen, now or before; kept in the status so that a new leader knows it. */
  seen: boolean;
}>;

/**
 * A queue that was never seen is empty and known. One that was seen and whose keys are all gone, `meta` too, is
 * unknown: that is what a fail-over to an empty Redis looks like, and it must not remove the workers.
 */
export function viewQueue({ pool, queue, redis }: PoolState): QueueView {
  const seenBefore = pool.status?.queue?.seen === true;
  if (!queue.ok) {
    const reason: string = redis.ok ? 'QueueUnreadable' : redis.trouble;
    return { queue, observed: false, because: { reason, message: queue.because }, seen: seenBefore };
  }
  if (queue.value.exists) {
    const { source, fallback } = queue.value;
    const message = fallback === undefined ? `read from ${source}` : `read from ${source}: ${fallback}`;
    return { queue, observed: true, because: { reason: 'Observed', message }, seen: true };
  }
  const name = pool.spec.queue.name;
  if (seenBefore) {
    const message = `every key of queue ${name} is gone from Redis, which was seen there before: a fail-over to an empty Redis? If the queue was removed on purpose, delete the pool or add a job`;
    return { queue: unknown(message), observed: false, because: { reason: 'QueueVanished', message }, seen: true };
  }
  const message = `no key of queue ${name} exists in Redis yet; counted as empty until the first job is added`;
  return {
    queue: known(queue.value, queue.at),
    observed: false,
    because: { reason: 'NotSeenYet', message },
    seen: false,
  };
}
