import type { Known, Millis } from '../../core/known.ts';
import { unknown } from '../../core/known.ts';
import { type DepthReading, keyBaseOf, type QueueDepth, type QueueName, readDepths } from './depth.ts';
import { MAX_QUEUES_A_SCRIPT } from './depth-script.ts';
import type { RedisAnswer, RedisConnection } from './redis-connection.ts';

type Request = { queue: QueueName; reading: Promise<DepthReading>; resolve: (reading: DepthReading) => void };

/**
 * Reads queues of one Redis, many in one script: what is asked for in one turn of the event loop, or while a script
 * runs, goes into the next one. A reading therefore never is older than the call that asked for it.
 */
export class DepthReader {
  readonly #connection: RedisConnection;
  readonly #now: () => Millis;
  #waiting = new Map<string, Request>();
  #running = false;

  constructor(connection: RedisConnection, now: () => Millis) {
    this.#connection = connection;
    this.#now = now;
  }

  /** Never rejects. Ends within the limits of the connection, twice at most where a script is already under way. */
  read(queue: QueueName): Promise<DepthReading> {
    const key = keyBaseOf(queue);
    const asked = this.#waiting.get(key);
    if (asked) return asked.reading;
    const { promise, resolve } = Promise.withResolvers<DepthReading>();
    this.#waiting.set(key, { queue, reading: promise, resolve });
    this.#schedule();
    return promise;
  }

  #schedule(): void {
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => void this.#drain());
  }

  async #drain(): Promise<void> {
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, MAX_QUEUES_A_SCRIPT);
      for (const [key] of batch) this.#waiting.delete(key);
      await this.#readBatch(batch.map(([, request]) => request));
    }
    this.#running = false;
  }

  async #readBatch(batch: readonly Request[]): Promise<void> {
    const queues = batch.map(({ queue }) => queue);
    const answer = await this.#connection.run((client) => readDepths(client, queues, this.#now()));
    batch.forEach((request, index) => request.resolve(readingOf(answer, index)));
  }
}

function readingOf(answer: RedisAnswer<readonly Known<QueueDepth>[]>, index: number): DepthReading {
  if (!answer.ok) return { depth: unknown(answer.because), access: answer };
  return { depth: answer.value[index] ?? unknown('Redis did not answer for the queue'), access: { ok: true } };
}
