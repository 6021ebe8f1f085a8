import type { ActiveJobs } from '../../core/drain/view.ts';
import { type Known, type Millis, unknown } from '../../core/known.ts';
import { type Logger, silentLogger } from '../../kube/log.ts';
import { readActiveJobs } from './active-jobs.ts';
import { CommandBudget } from './command-budget.ts';
import {
  type DepthReading,
  eventStreamOf,
  hashTagOf,
  keyBaseOf,
  newsOf,
  type QueueDepth,
  type QueueName,
} from './depth.ts';
import { DepthReader } from './depth-reader.ts';
import type { PoolQueue, PoolRedis } from './pool-redis.ts';
import { RedisConnection } from './redis-connection.ts';
import type { RedisFailure } from './redis-trouble.ts';
import { identityOf, parseRedisUrl, type RedisTarget } from './redis-url.ts';
import { type Sleeper, SlowPoll } from './slow-poll.ts';
import { Waker, type WakerOptions } from './wake.ts';

export type RedisAccessOptions = Readonly<{
  now: () => Millis;
  /** Called when something happened on a queue that the pool watches, or may have happened unseen. */
  onWake: (poolKey: string) => void;
  /** Called when the queue of a pool that sleeps reads otherwise than in its last pass, or cannot be read. */
  onNews?: (poolKey: string) => void;
  /** Called with each reading of a queue whose pool sleeps on. */
  onRead?: (poolKey: string, depth: QueueDepth, at: Millis) => void;
  /** Called with the share of the commands that were sent for the pool. */
  onCommands?: (poolKey: string, commands: number) => void;
  logger?: Logger;
  waker?: Partial<WakerOptions>;
}>;

type Shared = {
  users: Set<string>;
  connection: RedisConnection;
  reader: DepthReader;
  waker: Waker;
  slowPoll: SlowPoll;
};

type Use = {
  identity: string;
  queue: QueueName;
  budget: CommandBudget;
  /** What the last pass has read; absent while that is unknown. */
  seen?: string | undefined;
};

/** A sleeping pool may be answered from what was read along with another one of its group a moment ago. */
const ASLEEP_AGE_MS: Millis = 2_000;
/** Over its budget, a pool goes on with its last reading for so long. */
const HELD_BACK_AGE_MS: Millis = 30_000;
/** A pool whose events are answered more seldom than this is looked at in this time. */
const POLL_AT_REST_MS: Millis = 1_000;

/**
 * The connections of all pools, one set for each Redis: pools whose URLs mean the same server, user and database share a
 * connection for reading and a waker. In a Redis Cluster those whose keys have the same hash tag do, and so lie in one
 * slot: a script or a blocking read over several slots would be refused. The last pool that leaves closes it.
 */
export class RedisAccessRegistry {
  readonly #options: RedisAccessOptions;
  readonly #shared = new Map<string, Shared>();
  readonly #uses = new Map<string, Use>();

  constructor(options: RedisAccessOptions) {
    this.#options = options;
  }

  /**
   * The pool's Redis, for each pass anew; connects nothing yet. Another URL than in the last pass (a rotated Secret)
   * leaves the old Redis. Refused with RedisUrlInvalid; the sentence repeats nothing of the URL but host and port.
   */
  open(poolKey: string, { url, queue, commandsPerMinute }: PoolQueue): PoolRedis | RedisFailure {
    const parsed = parseRedisUrl(url);
    if (!parsed.ok) {
      this.release(poolKey);
      return { ok: false, trouble: 'RedisUrlInvalid', because: `the Redis URL cannot be used: ${parsed.because}` };
    }
    const identity = JSON.stringify([identityOf(parsed.target), hashTagOf(queue)]);
    const before = this.#uses.get(poolKey);
    // What it waits for and what was read last are of another queue.
    const isAnother = before !== undefined && keyBaseOf(before.queue) !== keyBaseOf(queue);
    if (isAnother || (before !== undefined && before.identity !== identity)) this.release(poolKey);
    const shared = this.#shared.get(identity) ?? this.#share(identity, parsed.target);
    const budget = before?.budget ?? new CommandBudget(commandsPerMinute, this.#options.now);
    budget.perMinute = commandsPerMinute;
    shared.users.add(poolKey);
    shared.slowPoll.join(poolKey, queue);
    const use = this.#uses.get(poolKey) ?? { identity, queue, budget };
    this.#uses.set(poolKey, use);
    return this.#poolRedis(poolKey, shared, use);
  }

  /** Tells the server of the pool from every other one; undefined when it does not say, or the pool has none. */
  async identify(poolKey: string): Promise<string | undefined> {
    const use = this.#uses.get(poolKey);
    return use === undefined ? undefined : this.#shared.get(use.identity)?.connection.identify();
  }

  /** To be called when the pool is gone or its Secret is: closes what no other pool uses. */
  release(poolKey: string): void {
    const use = this.#uses.get(poolKey);
    if (use === undefined) return;
    this.#uses.delete(poolKey);
    const shared = this.#shared.get(use.identity);
    if (shared === undefined) return;
    shared.users.delete(poolKey);
    shared.waker.unwatch(poolKey);
    shared.slowPoll.leave(poolKey);
    shared.reader.forget(use.queue);
    if (shared.users.size === 0) this.#close(use.identity, shared);
  }

  /** Number of Redis that are in use. */
  get size(): number {
    return this.#shared.size;
  }

  close(): void {
    for (const [identity, shared] of this.#shared) this.#close(identity, shared);
    this.#uses.clear();
  }

  #share(identity: string, target: RedisTarget): Shared {
    const { now, onWake, logger = silentLogger, waker } = this.#options;
    const connection = new RedisConnection(target, { now });
    const slowPoll: SlowPoll = new SlowPoll({ now, onDue: (sleepers) => void this.#compare(shared, sleepers) });
    const onCommands = (poolKeys: readonly string[], commands: number) => this.#charge(poolKeys, commands);
    const shared: Shared = {
      users: new Set<string>(),
      connection,
      slowPoll,
      reader: new DepthReader(connection, { now, onCommands, companionsOf: (key) => slowPoll.companionsOf(key) }),
      waker: new Waker(connection, { now, onWake, onCommands, logger, ...waker }),
    };
    this.#shared.set(identity, shared);
    return shared;
  }

  #close(identity: string, shared: Shared): void {
    this.#shared.delete(identity);
    shared.slowPoll.close();
    shared.waker.close();
    shared.connection.close();
  }

  /** Reads the queues of pools that sleep, in one script, and wakes those of which there is news. Never rejects. */
  async #compare({ reader, slowPoll }: Shared, sleepers: readonly Sleeper[]): Promise<void> {
    const { onNews = () => {}, onRead = () => {} } = this.#options;
    const read = async ({ poolKey, queue }: Sleeper): Promise<void> => {
      const { depth } = await reader.read({ poolKey, queue, maxAgeMs: ASLEEP_AGE_MS });
      const use = this.#uses.get(poolKey);
      if (use === undefined || slowPoll.sleepOf(poolKey) !== 'compared') return;
      if (depth.ok && newsOf(depth.value, depth.at) === use.seen) onRead(poolKey, depth.value, depth.at);
      else onNews(poolKey);
    };
    await Promise.all(sleepers.map(read));
  }

  #charge(poolKeys: readonly string[], commands: number): void {
    if (commands === 0) return;
    for (const poolKey of poolKeys) {
      this.#uses.get(poolKey)?.budget.charge(commands / poolKeys.length);
      this.#options.onCommands?.(poolKey, commands / poolKeys.length);
    }
  }

  #poolRedis(poolKey: string, shared: Shared, use: Use): PoolRedis {
    const { connection, waker, slowPoll } = shared;
    const { queue, budget } = use;
    const activeJobs = async (): Promise<Known<ActiveJobs>> => {
      if (budget.waitMs('activeJobs') > 0) return unknown(sayHeldBack(budget.perMinute));
      const answer = await connection.run((client) => readActiveJobs(client, queue, this.#options.now()));
      this.#charge([poolKey], connection.takeCommands());
      return answer.ok ? answer.value : unknown(answer.because);
    };
    return {
      ok: true,
      lastUse: () => connection.lastUse,
      check: (maxAgeMs) => connection.check(maxAgeMs),
      read: ({ fresh }) => this.#read({ poolKey, fresh }, shared, use),
      activeJobs,
      watch: (tip, pace) => {
        waker.watch({ poolKey, stream: eventStreamOf(queue), tip, pace });
        slowPoll.setSleep(poolKey, 'looks');
      },
      keepWatching: (pace) => waker.keep(poolKey, pace),
      isWatching: () => waker.isWaiting(poolKey),
      rest: () => waker.rest(poolKey),
      unwatch: () => {
        waker.unwatch(poolKey);
        slowPoll.setSleep(poolKey, 'awake');
      },
      compareReadings: (enough) => {
        if (slowPoll.sleepOf(poolKey) === 'awake') return;
        const isComparable = waker.isWaiting(poolKey) && this.#uses.get(poolKey)?.seen !== undefined;
        slowPoll.setSleep(poolKey, enough && isComparable ? 'compared' : 'looks');
      },
      isCompared: () => slowPoll.sleepOf(poolKey) === 'compared',
      slowPollInMs: () => this.#slowPollInMs(poolKey, shared),
    };
  }

  async #read(
    { poolKey, fresh }: Readonly<{ poolKey: string; fresh: boolean }>,
    { connection, reader, slowPoll }: Shared,
    use: Use,
  ): Promise<DepthReading> {
    const { queue, budget } = use;
    const waitMs = budget.waitMs('depth');
    // Whether Redis takes a new URL has to be known.
    if (waitMs > 0 && connection.lastUse !== undefined) {
      const because = sayHeldBack(budget.perMinute);
      const last = reader.last(queue, HELD_BACK_AGE_MS);
      use.seen = undefined;
      const heldBack = { because, againInMs: waitMs };
      return { depth: last ?? unknown(because), access: connection.access, heldBack };
    }
    const isAsleep = slowPoll.sleepOf(poolKey) !== 'awake';
    const reading = await reader.read({ poolKey, queue, maxAgeMs: !fresh && isAsleep ? ASLEEP_AGE_MS : 0 });
    const { depth } = reading;
    use.seen = depth.ok ? newsOf(depth.value, depth.at) : undefined;
    return reading;
  }

  #slowPollInMs(poolKey: string, { waker, slowPoll }: Shared): Millis {
    const isAwake = slowPoll.sleepOf(poolKey) === 'awake';
    const slow = isAwake ? Number.POSITIVE_INFINITY : slowPoll.inMs(poolKey, this.#options.now());
    return waker.isPausing(poolKey) ? Math.min(slow, POLL_AT_REST_MS) : slow;
  }
}

const sayHeldBack = (perMinute: number): string =>
  `the ${perMinute} Redis commands a minute of spec.queue.commandsPerMinute are used up: numbers may be older than usual`;
