import { BlockingReader, type BlockingReaderOptions } from './blocking-reader.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { Watch } from './watch-set.ts';

/**
 * `instant`: a pool at zero, which has nobody else to see the job. `paced`: a pool with replicas and no backlog, whose
 * jobs are taken by them anyway; its events are many and are answered at most once a second, and ever more seldom where
 * they never end.
 */
export type WatchPace = 'instant' | 'paced';

export type WakerOptions = Omit<BlockingReaderOptions, 'pacing'> &
  Readonly<{
    /** How long a pool is left out whose event changed nothing. */
    restMs?: number;
  }>;

const REST_MS = 10_000;
const PACED = { leastMs: 1_000, mostMs: 4_000 };

/**
 * Wakes pools when something happens on their queues: one blocking read of event streams for each pace, each on a
 * connection of its own. It reads only, from the tips that a depth reading returned and never from `$`, so an event
 * between the reading and the blocking is not missed; markers and entries stay for whom they are meant. It is a hint that
 * saves time, the slow poll behind it is the truth.
 */
export class Waker {
  readonly #groups: Readonly<Record<WatchPace, BlockingReader>>;
  readonly #restMs: number;

  /** `commands` is used to interrupt a blocked read; the blocked connections are made here, when first needed. */
  constructor(commands: RedisConnection, options: WakerOptions) {
    const { restMs = REST_MS, ...reader } = options;
    this.#restMs = restMs;
    this.#groups = {
      instant: new BlockingReader(commands, reader),
      paced: new BlockingReader(commands, { ...reader, pacing: PACED }),
    };
  }

  /**
   * Wakes the pool once, at the first entry behind `tip`: at once when there is one already. Then the pool is out until
   * it is watched again with the tip of a newer reading. Takes the place of an earlier watch of the pool.
   */
  watch({ pace, ...watch }: Watch & Readonly<{ pace: WatchPace }>): void {
    this.#groups[pace === 'instant' ? 'paced' : 'instant'].unwatch(watch.poolKey);
    this.#groups[pace].watch(watch);
  }

  /** The pool goes on waiting from where it waits, at this pace. False when it does not wait. */
  keep(poolKey: string, pace: WatchPace): boolean {
    const kept = this.#all().flatMap((group) => group.watchOf(poolKey) ?? [])[0];
    if (kept === undefined) return false;
    if (this.#groups[pace].watchOf(poolKey) === undefined) this.watch({ ...kept, pace });
    return true;
  }

  isWaiting(poolKey: string): boolean {
    return this.#all().some((group) => group.watchOf(poolKey) !== undefined);
  }

  /** The events of this pool with replicas are answered more seldom than it should be looked at. */
  isPausing(poolKey: string): boolean {
    return this.#groups.paced.restsForMs(poolKey) > PACED.leastMs;
  }

  /** The pool's last event changed nothing (paused, capped): for a while none is answered, then what came meanwhile is. */
  rest(poolKey: string): void {
    for (const group of this.#all()) group.rest(poolKey, this.#restMs);
  }

  /** Forgets the pool, and that it rests. */
  unwatch(poolKey: string): void {
    for (const group of this.#all()) {
      group.unwatch(poolKey);
      group.forgetRest(poolKey);
    }
  }

  /** Ends both reads and their connections. No pool is woken afterwards. */
  close(): void {
    for (const group of this.#all()) group.close();
  }

  #all(): readonly BlockingReader[] {
    return [this.#groups.instant, this.#groups.paced];
  }
}
