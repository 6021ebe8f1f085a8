import { known, type Known, unknown } from './known.ts';
import type { ScaleMemory } from './scale-memory.ts';
import { sayLength } from './sentence.ts';
import type { PoolState, QueueSnapshot } from './state.ts';
import { windowOf } from './window.ts';

/** The queue as a decision may use it, and what the condition `QueueObserved` says. */
export type QueueView = Readonly<{
  queue: Known<QueueSnapshot>;
  observed: boolean;
  because: Readonly<{ reason: string; message: string }>;
  /** The queue was seen, now or before; kept in the status so that a new leader knows it. */
  seen: boolean;
  /** Every key of a queue that was seen is gone, and that is not believed yet. */
  vanished: boolean;
}>;

/**
 * A queue that was never seen is empty and known. One that was seen and whose keys are all gone, `meta` too, is
 * unknown: that is what a fail-over to an empty Redis looks like, and it must not remove the workers. It is believed when it
 * lasted for a whole window and every replica that runs says that it has nothing to do; from then on the queue was never
 * seen, for the next leader as well.
 */
export function viewQueue(state: PoolState): QueueView {
  const { pool, queue, redis } = state;
  const seenBefore = pool.status?.queue?.seen === true;
  if (!queue.ok) {
    const reason: string = redis.ok ? 'QueueUnreadable' : redis.trouble;
    return { queue, observed: false, because: { reason, message: queue.because }, seen: seenBefore, vanished: false };
  }
  if (queue.value.exists) {
    const { source, fallback } = queue.value;
    const message = fallback === undefined ? `read from ${source}` : `read from ${source}: ${fallback}`;
    return { queue, observed: true, because: { reason: 'Observed', message }, seen: true, vanished: false };
  }
  const name = pool.spec.queue.name;
  if (seenBefore && !isBelieved(state)) {
    const message = `every key of queue ${name} is gone from Redis, which was seen there before: a fail-over to an empty Redis? It is taken for empty when that has lasted for ${sayLength(windowOf(state))} and every replica says that it has nothing to do`;
    const because = { reason: 'QueueVanished', message };
    return { queue: unknown(message), observed: false, because, seen: true, vanished: true };
  }
  const message = `no key of queue ${name} exists in Redis yet; counted as empty until the first job is added`;
  return {
    queue: known(queue.value, queue.at),
    observed: false,
    because: { reason: 'NotSeenYet', message },
    seen: false,
    vanished: false,
  };
}

/** Since when every key is gone, as far as this leader has seen it without a gap. */
export function learnVanished({ queue, memory, now }: PoolState): Pick<ScaleMemory, 'vanishedSince'> {
  if (!queue.ok || queue.value.exists) return {};
  return { vanishedSince: memory.vanishedSince ?? now };
}

function isBelieved(state: PoolState): boolean {
  const { memory, now, replicas } = state;
  if (memory.vanishedSince === undefined || now - memory.vanishedSince < windowOf(state) || !replicas.ok) return false;
  return replicas.value
    .filter(({ phase }) => !NOT_RUNNING.has(phase))
    .every(({ report }) => report.ok && report.value.active === 0);
}

/** Phases in which no container of a pod runs. */
const NOT_RUNNING: ReadonlySet<string> = new Set(['Pending', 'Succeeded', 'Failed']);
