import type { Redis } from 'ioredis';
import { type Known, known, type Millis, unknown } from '../../core/known.ts';
import type { QueueSnapshot, RedisAccess } from '../../core/state.ts';
import { messageOf } from '../../kube/log.ts';
import { DEPTH_SCRIPT } from './depth-script.ts';
import { explainRefusal } from './redis-trouble.ts';
import { evaluateReadOnly } from './evaluate.ts';

/** A BullMQ queue of one Redis. */
export type QueueName = Readonly<{ prefix: string; name: string }>;

/** All that the depth script says of one queue, at one moment. */
export type QueueDepth = Readonly<{
  exists: boolean;
  /** `wait`, and the `paused` list of BullMQ 5. */
  waiting: number;
  prioritized: number;
  active: number;
  /** All delayed jobs, with the overdue ones. */
  delayed: number;
  overdue: number;
  failed: number;
  completed: number;
  waitingChildren: number;
  paused: boolean;
  /** BullMQ's global concurrency: jobs of the whole queue that may run at once. */
  concurrency: number | undefined;
  /** BullMQ's global rate limit: `max` jobs in `durationMs`. */
  rateLimit: Readonly<{ max: number; durationMs: number }> | undefined;
  /** How much longer no job may start, because the rate limit is used up. */
  limitedForMs: number | undefined;
  nextDelayedAt: Millis | undefined;
  oldestReadyAt: Millis | undefined;
  /** The last id of the event stream, `0-0` where there is none. */
  tip: string;
}>;

/** One queue as Redis told it, with how the way to Redis stands. A queue can be unknown while Redis is well. */
export type DepthReading = Readonly<{
  depth: Known<QueueDepth>;
  access: RedisAccess;
  /** Redis was not asked, because the pool has used up its commands; the depth is the last one, or unknown. */
  heldBack?: Readonly<{ because: string; againInMs: Millis }>;
}>;

/** `<prefix>:<queue>:`, what BullMQ puts before every key of a queue. */
export const keyBaseOf = ({ prefix, name }: QueueName): string => `${prefix}:${name}:`;

/**
 * What alone decides in which slot of a Redis Cluster the keys of the queue lie: what stands in the first braces, if
 * anything does (redis.io, cluster specification).
 */
export const hashTagOf = (queue: QueueName): string | undefined => /^[^{]*\{([^}]+)\}/.exec(keyBaseOf(queue))?.[1];

export const eventStreamOf = (queue: QueueName): string => `${keyBaseOf(queue)}events`;

/** The score of the last delayed job that is due at `now`: exact, since it stays below 2^53 until the year 2039. */
const dueScore = (now: Millis): string => String((Math.floor(now) + 1) * 4096 - 1);

/** What the script returns for a queue: these counts, then the texts of `toDepth`. */
const COUNTS = [
  'exists',
  'waiting',
  'prioritized',
  'active',
  'delayed',
  'overdue',
  'failed',
  'completed',
  'waitingChildren',
] as const;
const FIELDS = COUNTS.length + 8;

/** A number that is set and means something; Redis says -1 or -2 for a time to live that is none. */
const positive = (text: string | undefined): number | undefined => (Number(text) > 0 ? Number(text) : undefined);

const rateLimitOf = (max: number | undefined, durationMs: number | undefined): QueueDepth['rateLimit'] =>
  max === undefined || durationMs === undefined ? undefined : { max, durationMs };

function toDepth(row: unknown): QueueDepth | string {
  if (!Array.isArray(row)) return 'the script gave no answer for it';
  if (row[0] === 'error') return explainRefusal(messageOf(row[1]));
  if (row.length !== FIELDS) return `the script gave ${row.length} fields, not ${FIELDS}`;
  const counts = Object.fromEntries(COUNTS.map((name, index) => [name, Number(row[index])])) as Record<
    (typeof COUNTS)[number],
    number
  >;
  const [paused, concurrency, max, duration, limiter, upcoming, oldest, tip] = row.slice(COUNTS.length).map(String);
  const nextScore = positive(upcoming);
  return {
    ...counts,
    exists: counts.exists > 0,
    paused: paused !== '' && paused !== '0',
    concurrency: positive(concurrency),
    rateLimit: rateLimitOf(positive(max), positive(duration)),
    limitedForMs: positive(limiter),
    nextDelayedAt: nextScore === undefined ? undefined : Math.floor(nextScore / 4096),
    oldestReadyAt: positive(oldest),
    tip: tip ?? '0-0',
  };
}

/**
 * Reads up to `MAX_QUEUES_A_SCRIPT` queues of one Redis in one command. Rejects when Redis cannot be asked; a queue that
 * cannot be read (a key of a wrong type) is unknown in its place.
 */
export async function readDepths(
  client: Redis,
  queues: readonly QueueName[],
  now: Millis,
): Promise<readonly Known<QueueDepth>[]> {
  const keys = queues.map(keyBaseOf);
  const rows = await evaluateReadOnly(client, DEPTH_SCRIPT, { keys, args: [dueScore(now)] });
  return queues.map((queue, index) => {
    const depth = toDepth((rows as readonly unknown[])[index]);
    return typeof depth === 'string'
      ? unknown(`queue ${keyBaseOf(queue)} cannot be read: ${depth}`)
      : known(depth, now);
  });
}

/** Jobs by state, as BullMQ and the workers' metrics name the states. */
const jobsByState = (depth: QueueDepth): Readonly<Record<string, number>> => ({
  waiting: depth.waiting,
  prioritized: depth.prioritized,
  active: depth.active,
  delayed: depth.delayed,
  failed: depth.failed,
  completed: depth.completed,
  'waiting-children': depth.waitingChildren,
});

/** What is exported of a queue. */
export const factsOf = (depth: QueueDepth, at: Millis) => ({ ...depth, at, jobs: jobsByState(depth) });

/** The part of a depth that a decision reads. */
export function snapshotOf(depth: QueueDepth, at: Millis): QueueSnapshot {
  return {
    ready: depth.waiting + depth.prioritized + depth.overdue,
    active: depth.active,
    delayed: depth.delayed - depth.overdue,
    failed: depth.failed,
    paused: depth.paused,
    ...(depth.concurrency === undefined ? {} : { concurrency: depth.concurrency }),
    ...(depth.rateLimit === undefined ? {} : { rateLimit: depth.rateLimit }),
    ...(depth.limitedForMs === undefined ? {} : { limitedForMs: depth.limitedForMs }),
    ...(depth.nextDelayedAt === undefined ? {} : { nextDelayedAt: depth.nextDelayedAt }),
    ...(depth.oldestReadyAt === undefined ? {} : { oldestWaitMs: Math.max(0, at - depth.oldestReadyAt) }),
    exists: depth.exists,
    source: 'Redis',
  };
}

/**
 * What a decision reads of an empty queue, as one text: two readings that are equal in it decide the same. How much longer
 * a rate limit holds is less each time and says nothing as long as no job waits.
 */
export function newsOf(depth: QueueDepth, at: Millis): string {
  const { limitedForMs, ...snapshot } = snapshotOf(depth, at);
  return JSON.stringify([snapshot, limitedForMs !== undefined]);
}
