import { within } from '../redis-link.ts';
import type { WorkerTiming } from '../timing.ts';
import type { QueueSnapshot } from './read-queue.ts';

type Options = Readonly<{
  read: (now: number) => Promise<QueueSnapshot>;
  connected: () => boolean;
  timing: Pick<WorkerTiming, 'queueCacheMs' | 'queueStaleMs' | 'queueReadMs'>;
  onFailure: (error: unknown) => void;
  now?: () => number;
}>;

/**
 * The queue as Redis holds it, for any number of scrapes: at most one read at a time and one in a cache period. A read
 * that fails leaves the last good one in use until that is stale; from then on the queue is unknown, never 0.
 */
export class QueueReader {
  readonly #options: Options;
  readonly #now: () => number;
  #last: { snapshot: QueueSnapshot; at: number } | undefined;
  #reading: Promise<void> | undefined;
  #lastReadFailed = false;

  constructor(options: Options) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** True when the newest attempt to read failed, or was not possible. */
  get lastReadFailed(): boolean {
    return this.#lastReadFailed;
  }

  /** The newest snapshot that is not stale, or undefined. Never rejects. */
  async current(): Promise<QueueSnapshot | undefined> {
    const { queueCacheMs, queueStaleMs } = this.#options.timing;
    if (!this.#isYoungerThan(queueCacheMs)) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    return this.#isYoungerThan(queueStaleMs) ? this.#last?.snapshot : undefined;
  }

  #isYoungerThan(ageMs: number): boolean {
    return this.#last !== undefined && this.#now() - this.#last.at < ageMs;
  }

  async #read(): Promise<void> {
    const { read, connected, timing, onFailure } = this.#options;
    // Without a connection a command would wait in the client's queue until Redis is back.
    this.#lastReadFailed = !connected();
    if (this.#lastReadFailed) return;
    const at = this.#now();
    try {
      this.#last = { snapshot: await within(read(at), timing.queueReadMs), at };
    } catch (error) {
      this.#lastReadFailed = true;
      onFailure(error);
    }
  }
}
