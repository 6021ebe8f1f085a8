import { type Known, known, type Millis, unknown } from '../../core/known.ts';
import type { QueueSnapshot, RedisAccess } from '../../core/state.ts';
import { type DepthReading, type QueueDepth, snapshotOf } from './depth.ts';

export type QueueQuestion = Readonly<{
  /** `spec.scaling.metrics.source` of the pool. */
  source: 'Workers' | 'Prometheus' | 'Redis';
  /** The queue gauges of a ready replica; undefined when no replica is ready. */
  scraped?: Known<QueueSnapshot>;
  /** An event said that the queue changed: Redis is read, since the workers' gauges can be a second old. */
  fresh?: boolean;
  /** The pool waits for the next event; else Redis is read where there is no backlog, since only it has the tip. */
  watching?: boolean;
  /** How many jobs wait, by the pool's Prometheus server; never rejects. Asked when that is the pool's source. */
  waiting?: () => Promise<Known<number>>;
  /** Reads the queue in Redis; never rejects. */
  read: () => Promise<DepthReading>;
  /**
   * How the way to Redis stood when it was last used, for a pass that does not use it. Undefined before the first use: then
   * Redis is read, for nobody knows whether it takes this URL, and the workers may be rolled out to it.
   */
  access: () => RedisAccess | undefined;
}>;

export type QueueReading = Readonly<{
  queue: Known<QueueSnapshot>;
  redis: RedisAccess;
  /** Tip of the event stream at the moment of the snapshot, when Redis served: a waker may block from it. */
  tip?: string;
  /** All that Redis said, when it served. */
  depth?: QueueDepth;
  /** Redis may be asked again after this time: until then the pool's budget of commands is used up. */
  againInMs?: Millis;
}>;

const fromRedis = ({ depth, access, heldBack }: DepthReading, fallback?: string): QueueReading => {
  const again = heldBack === undefined ? {} : { againInMs: heldBack.againInMs };
  if (!depth.ok) return { queue: depth, redis: access, ...again };
  const because = [fallback, heldBack?.because].filter((part) => part !== undefined).join('; ');
  const snapshot = { ...snapshotOf(depth.value, depth.at), ...(because === '' ? {} : { fallback: because }) };
  const reading = { queue: known(snapshot, depth.at), redis: access, depth: depth.value, ...again };
  // Who may not read cannot see what an event was about, so none is waited for.
  return heldBack === undefined ? { ...reading, tip: depth.value.tip } : reading;
};

const hasBacklog = ({ ready, paused }: QueueSnapshot): boolean => ready > 0 && !paused;

/** The pool's own source is the workers, and they answered. Redis is asked for what they cannot say. */
async function besideWorkers(
  scraped: Known<QueueSnapshot> & { ok: true },
  question: QueueQuestion,
): Promise<QueueReading> {
  const enough = hasBacklog(scraped.value) || question.watching === true;
  const access = question.access();
  if (!question.fresh && enough && access !== undefined) return { queue: scraped, redis: access };
  const reading = await question.read();
  // The operator's own way to Redis may be out, or its commands used up, while the workers' is not: then only the waking is out.
  if (reading.depth.ok && reading.heldBack === undefined) return fromRedis(reading);
  const again = reading.heldBack === undefined ? {} : { againInMs: reading.heldBack.againInMs };
  return { queue: scraped, redis: reading.access, ...again };
}

/**
 * The pool's own source is Prometheus: it says how many jobs wait, and nothing else. What runs, pause, limits and the tip
 * are Redis's, so the queue is unknown without Redis; and Redis serves alone when Prometheus does not answer.
 */
async function besidePrometheus(question: QueueQuestion): Promise<QueueReading> {
  const { waiting = () => Promise.resolve(unknown('there is no Prometheus server to ask')) } = question;
  const [number, reading] = await Promise.all([waiting(), question.read()]);
  if (!number.ok) return insteadOf(number.because, reading);
  const served = fromRedis(reading);
  if (!served.queue.ok) return served;
  const { value, at } = served.queue;
  const { oldestWaitMs, ...rest } = value;
  const oldest = number.value === 0 || oldestWaitMs === undefined ? {} : { oldestWaitMs };
  const snapshot = { ...rest, ...oldest, ready: number.value, source: 'Prometheus' as const };
  return { ...served, queue: known(snapshot, Math.min(at, number.at)) };
}

/**
 * Reads the queue from the pool's source, or from Redis where that does not serve: without a ready replica, whose numbers
 * the other sources are about, or when it does not answer (`fallback` says why). Unknown, with both reasons, when neither
 * answers.
 */
export async function readQueue(question: QueueQuestion): Promise<QueueReading> {
  const { source, scraped } = question;
  if (source === 'Redis') return fromRedis(await question.read());
  if (source === 'Prometheus' && scraped !== undefined) return besidePrometheus(question);
  if (source === 'Workers' && scraped?.ok) return besideWorkers(scraped, question);
  return insteadOf(
    scraped === undefined || scraped.ok ? 'no replica is ready' : scraped.because,
    await question.read(),
  );
}

/** Redis serves because the pool's own source did not. */
function insteadOf(because: string, depth: DepthReading): QueueReading {
  const reading = fromRedis(depth, because);
  return reading.queue.ok ? reading : { ...reading, queue: unknown(`${because}; ${reading.queue.because}`) };
}
