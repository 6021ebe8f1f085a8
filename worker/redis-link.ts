import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import { describeError } from './log.ts';
import type { Log } from './log.ts';

/** Result of one PING: how long the answer took, or why there was none. */
export type RedisCheck = Readonly<{ ok: true; latencyMs: number } | { ok: false; because: string }>;

/** Only these may come in the URL's query: ioredis would take any other for an option and let it beat ours. */
const ALLOWED_QUERY = new Set(['db', 'family', 'username', 'password']);

const options = {
  // A worker waits for Redis instead of failing its jobs; BullMQ asks for it.
  maxRetriesPerRequest: null,
  // BullMQ's own default grows to 20 s, which is how late the first job starts after an outage.
  retryStrategy: (attempt) => Math.min(attempt * 100, 2_000),
  connectTimeout: 5_000,
  keepAlive: 10_000,
  // A peer that vanished without a FIN is noticed before a lock (30 s) runs out. BullMQ's blocking read lasts at most
  // 10 s, so an idle worker is never cut off by it.
  socketTimeout: 15_000,
  // After a fail-over this address may be a replica now: connect anew and send the command again.
  reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
} satisfies RedisOptions;

const withoutForeignQuery = (redisUrl: string): string => {
  const url = new URL(redisUrl);
  url.search = new URLSearchParams(Array.from(url.searchParams).filter(([name]) => ALLOWED_QUERY.has(name))).toString();
  return url.href;
};

/** Settles like `promise`, but at the latest after `limitMs`, then with an error that says so. */
export const within = async <T>(promise: Promise<T>, limitMs: number): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
};

/**
 * The connection that BullMQ's commands, the health check and the read of the queue share. It reconnects for ever, at
 * most 2 s apart, and logs each loss and return once.
 */
export class RedisLink {
  readonly client: Redis;
  readonly #log: Log;
  #lastError: string | undefined;
  #wasConnected = false;
  #lostAt: number | undefined;
  #closing = false;

  constructor(redisUrl: string, log: Log) {
    this.#log = log;
    this.client = new Redis(withoutForeignQuery(redisUrl), options);
    this.client.on('ready', () => this.#onReady());
    this.client.on('close', () => this.#onClose());
    this.client.on('error', (error) => this.#onError(error));
  }

  /** True while commands can be sent. It says nothing about whether Redis still answers: that is what `check` is for. */
  get connected(): boolean {
    return this.client.status === 'ready';
  }

  /** Why there is no connection, as one safe line. */
  get because(): string {
    return `connection is ${this.client.status}${this.#lastError === undefined ? '' : `: ${this.#lastError}`}`;
  }

  /** Sends PING. Never waits for a connection: without one it fails at once. */
  async check(limitMs: number): Promise<RedisCheck> {
    if (!this.connected) return { ok: false, because: this.because };
    const sentAt = performance.now();
    try {
      await within(this.client.ping(), limitMs);
      return { ok: true, latencyMs: Math.round((performance.now() - sentAt) * 100) / 100 };
    } catch (error) {
      return { ok: false, because: describeError(error) };
    }
  }

  /** Ends the connection without waiting for an answer. */
  close(): void {
    this.#closing = true;
    this.client.disconnect();
  }

  #onReady(): void {
    if (this.#lostAt === undefined) this.#log.info('redis connected');
    else this.#log.info({ outageMs: Date.now() - this.#lostAt }, 'redis connected again');
    this.#wasConnected = true;
    this.#lostAt = undefined;
    this.#lastError = undefined;
  }

  #onClose(): void {
    if (this.#closing || !this.#wasConnected || this.#lostAt !== undefined) return;
    this.#lostAt = Date.now();
    this.#log.warn({ error: this.#lastError }, 'redis connection lost');
  }

  #onError(error: Error): void {
    this.#lastError = describeError(error);
  }
}
