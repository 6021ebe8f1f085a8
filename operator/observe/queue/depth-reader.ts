import type { Known, Millis } from '../../core/known.ts';
import { unknown } from '../../core/known.ts';
import { type DepthReading, keyBaseOf, type QueueDepth, type QueueName, readDepths } from './depth.ts';
import { MAX_QUEUES_A_SCRIPT } from './depth-script.ts';
import type { RedisAnswer, RedisConnection } from './redis-connection.ts';
import { isAboutKeys } from './redis-trouble.ts';
import type { Sleeper } from './slow-poll.ts';

export type DepthQuestion = Sleeper &
  Readonly<{
    /** A reading that is not older may be the answer; 0 when an event says that something changed. */
    maxAgeMs: Millis;
  }>;

export type DepthReaderOptions = Readonly<{
  now: () => Millis;
  /** Sleeping pools that are read along where there is room, so that their own look costs no command. */
  companionsOf: (poolKey: string) => readonly Sleeper[];
  /** Called with the pools that commands were sent for. */
  onCommands: (poolKeys: readonly string[], commands: number) => void;
}>;

/** Who was read so lately has been looked at in this round of the slow poll. */
const COMPANION_AGE_MS: Millis = 15_000;

type Request = Sleeper & {
  mayTakeAlong: boolean;
  reading: Promise<DepthReading>;
  resolve: (reading: DepthReading) => void;
};

/**
 * Reads queues of one Redis, many in one script: what is asked for in one turn of the event loop, or while a script
 * runs, goes into the next one. A reading therefore never is older than its question allows.
 */
export class DepthReader {
  readonly #connection: RedisConnection;
  readonly #options: DepthReaderOptions;
  readonly #last = new Map<string, Known<QueueDepth> & { ok: true }>();
  /** Queues that the user may not read: a script that names one of them is refused as a whole, so each has its own. */
  readonly #forbidden = new Set<string>();
  #waiting = new Map<string, Request>();
  #running = false;

  constructor(connection: RedisConnection, options: DepthReaderOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Never rejects. Ends within the limits of the connection, twice at most where a script is already under way. */
  read({ poolKey, queue, maxAgeMs }: DepthQuestion): Promise<DepthReading> {
    const key = keyBaseOf(queue);
    const last = this.last(queue, maxAgeMs);
    if (last !== undefined) return Promise.resolve({ depth: last, access: { ok: true } });
    const asked = this.#waiting.get(key);
    if (asked) return asked.reading;
    const { promise, resolve } = Promise.withResolvers<DepthReading>();
    this.#waiting.set(key, { poolKey, queue, mayTakeAlong: maxAgeMs > 0, reading: promise, resolve });
    this.#schedule();
    return promise;
  }

  /** The last good reading, when it is not older and no delayed job has become due since. */
  last(queue: QueueName, maxAgeMs: Millis): (Known<QueueDepth> & { ok: true }) | undefined {
    const last = this.#last.get(keyBaseOf(queue));
    const now = this.#options.now();
    if (last === undefined || maxAgeMs <= 0 || now - last.at > maxAgeMs) return undefined;
    return last.value.nextDelayedAt !== undefined && last.value.nextDelayedAt <= now ? undefined : last;
  }

  forget(queue: QueueName): void {
    this.#last.delete(keyBaseOf(queue));
    this.#forbidden.delete(keyBaseOf(queue));
  }

  #schedule(): void {
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => void this.#drain());
  }

  async #drain(): Promise<void> {
    while (this.#waiting.size > 0) {
      const batch = this.#nextBatch();
      for (const [key] of batch) this.#waiting.delete(key);
      await this.#readBatch(batch.map(([, request]) => request));
    }
    this.#running = false;
  }

  #nextBatch(): readonly (readonly [string, Request])[] {
    const waiting = [...this.#waiting];
    const readable = waiting.filter(([key]) => !this.#forbidden.has(key));
    return readable.length > 0 ? readable.slice(0, MAX_QUEUES_A_SCRIPT) : waiting.slice(0, 1);
  }

  async #readBatch(batch: readonly Request[]): Promise<void> {
    const readings = await this.#ask([...batch, ...this.#companionsOf(batch)]);
    batch.forEach((request, index) => request.resolve(readings[index] ?? NO_READING));
  }

  /** One reading for each queue. Where the user may not read one of several, the halves are asked on their own. */
  async #ask(asked: readonly Sleeper[]): Promise<readonly DepthReading[]> {
    const queues = asked.map(({ queue }) => queue);
    const answer = await this.#connection.run((client) => readDepths(client, queues, this.#options.now()));
    this.#options.onCommands(
      asked.map(({ poolKey }) => poolKey),
      this.#connection.takeCommands(),
    );
    if (!answer.ok && isAboutKeys(answer) && asked.length > 1) {
      const half = Math.ceil(asked.length / 2);
      return [...(await this.#ask(asked.slice(0, half))), ...(await this.#ask(asked.slice(half)))];
    }
    return queues.map((queue, index) => this.#take(queue, readingOf(answer, index)));
  }

  #take(queue: QueueName, reading: DepthReading): DepthReading {
    const key = keyBaseOf(queue);
    if (reading.depth.ok) this.#last.set(key, reading.depth);
    if (!reading.access.ok && isAboutKeys(reading.access)) this.#forbidden.add(key);
    else this.#forbidden.delete(key);
    return reading;
  }

  #companionsOf(batch: readonly Request[]): readonly Sleeper[] {
    const [first] = batch.filter(({ mayTakeAlong }) => mayTakeAlong);
    const asked = new Set(batch.map(({ queue }) => keyBaseOf(queue)));
    const isForbidden = [...asked].some((key) => this.#forbidden.has(key));
    if (first === undefined || isForbidden) return [];
    return this.#options
      .companionsOf(first.poolKey)
      .filter(({ queue }) => !asked.has(keyBaseOf(queue)) && !this.#forbidden.has(keyBaseOf(queue)))
      .filter(({ queue }) => this.last(queue, COMPANION_AGE_MS) === undefined)
      .slice(0, MAX_QUEUES_A_SCRIPT - batch.length);
  }
}

const NO_READING: DepthReading = { depth: unknown('Redis did not answer for the queue'), access: { ok: true } };

function readingOf(answer: RedisAnswer<readonly Known<QueueDepth>[]>, index: number): DepthReading {
  if (!answer.ok) return { depth: unknown(answer.because), access: answer };
  const depth = answer.value[index];
  return depth === undefined ? NO_READING : { depth, access: { ok: true } };
}
