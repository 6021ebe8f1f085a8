import type { Millis } from '../../core/known.ts';
import type { RedisAccess } from '../../core/state.ts';
import { type Logger, silentLogger } from '../../kube/log.ts';
import { type DepthReading, eventStreamOf, type QueueName } from './depth.ts';
import { DepthReader } from './depth-reader.ts';
import { RedisConnection } from './redis-connection.ts';
import type { RedisFailure } from './redis-trouble.ts';
import { identityOf, parseRedisUrl, type RedisTarget } from './redis-url.ts';
import { Waker, type WakerOptions, type WatchPace } from './wake.ts';

export type RedisAccessOptions = Readonly<{
  now: () => Millis;
  /** Called when something happened on a queue that the pool watches, or may have happened unseen. */
  onWake: (poolKey: string) => void;
  logger?: Logger;
  waker?: Partial<WakerOptions>;
}>;

/** What one pool may do with its Redis. Belongs to the pool until `release`, or until it opens another URL. */
export type PoolRedis = Readonly<{
  ok: true;
  /** How the last use of the connection ended, by whichever pool; usable before the first. */
  access: () => RedisAccess;
  /** Reads one queue; never rejects. Reads of many pools of one Redis go into one script. */
  read: (queue: QueueName) => Promise<DepthReading>;
  /** Wakes the pool on the next event of its queue behind `tip`, once; the tip is that of a reading. */
  watch: (queue: QueueName, tip: string, pace: WatchPace) => void;
  /** Leaves the pool out of waking for a while: its last event changed nothing. */
  rest: () => void;
  unwatch: () => void;
}>;

type Shared = {
  users: Set<string>;
  connection: RedisConnection;
  reader: DepthReader;
  waker: Waker;
};

/**
 * The connections of all pools, one set for each Redis: pools whose URLs mean the same server, user and database share a
 * connection for reading and a waker. The last pool that leaves closes it.
 */
export class RedisAccessRegistry {
  readonly #options: RedisAccessOptions;
  readonly #shared = new Map<string, Shared>();
  /** Identity of the Redis that each pool uses. */
  readonly #used = new Map<string, string>();

  constructor(options: RedisAccessOptions) {
    this.#options = options;
  }

  /**
   * The pool's Redis, for each pass anew; connects nothing yet. Another URL than in the last pass (a rotated Secret)
   * leaves the old Redis. Refused with RedisUrlInvalid; the sentence repeats nothing of the URL but host and port.
   */
  open(poolKey: string, url: string): PoolRedis | RedisFailure {
    const parsed = parseRedisUrl(url);
    if (!parsed.ok) {
      this.release(poolKey);
      return { ok: false, trouble: 'RedisUrlInvalid', because: `the Redis URL cannot be used: ${parsed.because}` };
    }
    const identity = identityOf(parsed.target);
    if (this.#used.get(poolKey) !== identity) this.release(poolKey);
    const shared = this.#shared.get(identity) ?? this.#share(identity, parsed.target);
    shared.users.add(poolKey);
    this.#used.set(poolKey, identity);
    return poolRedis(poolKey, shared);
  }

  /** To be called when the pool is gone or its Secret is: closes what no other pool uses. */
  release(poolKey: string): void {
    const identity = this.#used.get(poolKey);
    if (identity === undefined) return;
    this.#used.delete(poolKey);
    const shared = this.#shared.get(identity);
    shared?.users.delete(poolKey);
    shared?.waker.unwatch(poolKey);
    if (shared?.users.size === 0) this.#close(identity, shared);
  }

  /** Number of Redis that are in use. */
  get size(): number {
    return this.#shared.size;
  }

  close(): void {
    for (const [identity, shared] of this.#shared) this.#close(identity, shared);
    this.#used.clear();
  }

  #share(identity: string, target: RedisTarget): Shared {
    const { now, onWake, logger = silentLogger, waker } = this.#options;
    const connection = new RedisConnection(target, { now });
    const shared = {
      users: new Set<string>(),
      connection,
      reader: new DepthReader(connection, now),
      waker: new Waker(connection, { now, onWake, logger, ...waker }),
    };
    this.#shared.set(identity, shared);
    return shared;
  }

  #close(identity: string, shared: Shared): void {
    this.#shared.delete(identity);
    shared.waker.close();
    shared.connection.close();
  }
}

const poolRedis = (poolKey: string, { connection, reader, waker }: Shared): PoolRedis => ({
  ok: true,
  access: () => connection.access,
  read: (queue) => reader.read(queue),
  watch: (queue, tip, pace) => waker.watch({ poolKey, stream: eventStreamOf(queue), tip, pace }),
  rest: () => waker.rest(poolKey),
  unwatch: () => waker.unwatch(poolKey),
});
