import { type Known, known, unknown } from '../../core/known.ts';
import type { QueueSnapshot, RedisAccess } from '../../core/state.ts';
import { type DepthReading, snapshotOf } from './depth.ts';

export type QueueQuestion = Readonly<{
  /** `spec.scaling.metrics.source` of the pool. */
  source: 'Workers' | 'Redis';
  /** The queue gauges of a ready replica; undefined when no replica is ready. */
  scraped?: Known<QueueSnapshot>;
  /**
   * An event said that the queue changed, or the pool is to be watched again: Redis is read, since the workers' gauges
   * can be a second old and have no tip. It is also read when the gauges show no backlog, for the same reason.
   */
  fresh?: boolean;
  /** Reads the queue in Redis; never rejects. */
  read: () => Promise<DepthReading>;
  /** How the way to Redis stood when it was last used, for a pass that does not use it. */
  access: () => RedisAccess;
}>;

export type QueueReading = Readonly<{
  queue: Known<QueueSnapshot>;
  redis: RedisAccess;
  /** Tip of the event stream at the moment of the snapshot, when Redis served: a waker may block from it. */
  tip?: string;
}>;

const fromRedis = ({ depth, access }: DepthReading, fallback?: string): QueueReading => {
  if (!depth.ok) return { queue: depth, redis: access };
  const snapshot = snapshotOf(depth.value, depth.at);
  const because = fallback === undefined ? {} : { fallback };
  return { queue: known({ ...snapshot, ...because }, depth.at), redis: access, tip: depth.value.tip };
};

const hasBacklog = ({ ready, paused }: QueueSnapshot): boolean => ready > 0 && !paused;

/** The pool's own source is the workers, and they answered. Redis is asked for what they cannot say. */
async function besideWorkers(
  scraped: Known<QueueSnapshot> & { ok: true },
  question: QueueQuestion,
): Promise<QueueReading> {
  if (!question.fresh && hasBacklog(scraped.value)) return { queue: scraped, redis: question.access() };
  const reading = await question.read();
  // The operator's own way to Redis may be out while the workers' is not: then only the waking is out.
  return reading.depth.ok ? fromRedis(reading) : { queue: scraped, redis: reading.access };
}

/**
 * Reads the queue from the pool's source, or from Redis where that does not serve: `Workers` without a ready replica, or
 * with none that answers (`fallback` says why). Unknown, with both reasons, when neither answers. One snapshot is one
 * reading of one source; the two are never mixed.
 */
export async function readQueue(question: QueueQuestion): Promise<QueueReading> {
  const { source, scraped } = question;
  if (source === 'Redis') return fromRedis(await question.read());
  if (scraped?.ok) return besideWorkers(scraped, question);
  const because = scraped === undefined ? 'no replica is ready' : scraped.because;
  const reading = fromRedis(await question.read(), because);
  return reading.queue.ok ? reading : { ...reading, queue: unknown(`${because}; ${reading.queue.because}`) };
}
