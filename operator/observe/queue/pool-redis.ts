import type { ActiveJobs } from '../../core/drain/view.ts';
import type { Known, Millis } from '../../core/known.ts';
import type { DepthReading, QueueName } from './depth.ts';
import type { RedisUse } from './redis-connection.ts';
import type { WatchPace } from './wake.ts';

/** The queue of a pool, where it is, and how many commands a minute it may cost. */
export type PoolQueue = Readonly<{ url: string; queue: QueueName; commandsPerMinute: number }>;

/** What one pool may do with its Redis. Belongs to the pool until `release`, or until it opens another one. */
export type PoolRedis = Readonly<{
  ok: true;
  /** How the last use of the connection ended, by whichever pool; undefined before the first. */
  lastUse: () => RedisUse | undefined;
  /** How a use of the connection ended that is at most so old; without one Redis is asked. Never rejects. */
  check: (maxAgeMs: Millis) => Promise<RedisUse>;
  /** Reads the queue; never rejects. `fresh`: something happened, or the pool does not wait for events. */
  read: (options: Readonly<{ fresh: boolean }>) => Promise<DepthReading>;
  /** Who runs the active jobs of the queue; never rejects. */
  activeJobs: () => Promise<Known<ActiveJobs>>;
  /** Wakes the pool on the next event of its queue behind `tip`, once; the tip is that of a reading. */
  watch: (tip: string, pace: WatchPace) => void;
  /** Goes on waiting from where the pool waits; false when it does not. */
  keepWatching: (pace: WatchPace) => boolean;
  isWatching: () => boolean;
  /** Leaves the pool out of waking for a while: its last event changed nothing. */
  rest: () => void;
  unwatch: () => void;
  /** While the pool waits for an event: whether the slow poll only compares its readings, or sees to a pass each time. */
  compareReadings: (enough: boolean) => void;
  /** Nothing but news needs a pass. */
  isCompared: () => boolean;
  /** The longest time after which to look again although no event came, of a pool whose readings are not compared. */
  slowPollInMs: () => Millis;
}>;
