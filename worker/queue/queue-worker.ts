import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'bullmq';
import type { Job, Processor } from 'bullmq';
import type { Redis } from 'ioredis';
import type { WorkerConfig } from '../config.ts';
import { within } from '../redis-link.ts';
import type { WorkerTiming } from '../timing.ts';

type Options = Readonly<{ config: WorkerConfig; timing: WorkerTiming; client: Redis; processor: Processor }>;

/** What is needed of an ioredis client here; BullMQ hands out its blocking one behind a wider type. */
type BlockingClient = Pick<Redis, 'status' | 'once' | 'disconnect'>;

/** Longest wait for the blocking connection to end when the worker stops fetching. */
const UNBLOCK_LIMIT_MS = 1_000;

/**
 * BullMQ's Worker with what it lacks: a number of running jobs that counts until their result is stored, a fetch that
 * is guarded once the worker stops, and a pause after Redis refused a fetch (BullMQ asks again without one and so keeps
 * a core and the log busy).
 *
 * `moveToActive`, `processJob`, `getBackend` and `toKey` are not a stable API: BullMQ is pinned and tests hold it.
 */
export class QueueWorker extends Worker {
  readonly #timing: WorkerTiming;
  readonly #client: Redis;
  #blocking: BlockingClient | undefined;
  #activeJobs = 0;
  /** Sum of the start times (ms) of the jobs that run. */
  #startedAtSum = 0;

  constructor({ config, timing, client, processor }: Options) {
    super(config.queue.name, processor, {
      connection: client,
      prefix: config.queue.prefix,
      name: config.podName,
      concurrency: config.concurrency,
      autorun: false,
      // A job may lose its worker this often (eviction, node loss) before it fails.
      maxStalledCount: 3,
      lockDuration: timing.lockMs,
      stalledInterval: timing.stalledCheckMs,
    });
    this.#timing = timing;
    this.#client = client;
  }

  /** Jobs that run now, or whose result is not stored in Redis yet. */
  get activeJobs(): number {
    return this.#activeJobs;
  }

  /** Sum of the times that the running jobs have run. */
  runningSeconds(now = Date.now()): number {
    return Math.max(0, this.#activeJobs * now - this.#startedAtSum) / 1000;
  }

  /**
   * Why no job can be fetched, or undefined. BullMQ fetches over a connection of its own, which can be dead while PING
   * on the other succeeds (taskforcesh/bullmq#4479, #4585). While paused or closing it is disconnected on purpose.
   */
  get fetchFault(): string | undefined {
    if (!this.#blocking) return 'the connection for fetching is not established yet';
    if (this.closing || this.paused || this.#blocking.status === 'ready') return undefined;
    return `the connection for fetching is ${this.#blocking.status}`;
  }

  /** Waits without limit for both connections, rejects when Redis can never serve BullMQ (too old, INFO forbidden). */
  override async waitUntilReady(): Promise<void> {
    await super.waitUntilReady();
    this.#blocking = (await this.backend.blockingClient) as unknown as BlockingClient;
  }

  /**
   * Fetches nothing more, finishes what runs, and closes. Another worker starts a waiting job as fast as before: the
   * marker that announces it may have been handed to this worker's blocked read, so it is put back.
   */
  async finish(): Promise<void> {
    const closed = this.close();
    if (this.#blocking?.status === 'ready') await ended(this.#blocking);
    if (this.#client.status === 'ready') {
      // A Redis that hangs must not keep a worker that has nothing to do; the marker is worth no more than a short wait.
      await within(this.#client.zadd(this.toKey('marker'), 0, '0'), this.#timing.pingMs).catch(() => undefined);
    }
    await closed;
  }

  /** Gives up on Redis: ends the connection for fetching at once, waits for nothing. */
  abandon(): void {
    this.#blocking?.disconnect();
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    if (this.closing || this.paused) return NO_JOB;
    try {
      return await super.moveToActive(token, name);
    } catch (error) {
      await sleep(this.#timing.fetchRetryMs);
      throw error;
    }
  }

  override async processJob(...args: Parameters<Worker['processJob']>): Promise<void | Job> {
    const startedAt = Date.now();
    this.#activeJobs += 1;
    this.#startedAtSum += startedAt;
    try {
      return await super.processJob(...args);
    } finally {
      this.#activeJobs -= 1;
      this.#startedAtSum -= startedAt;
    }
  }
}

/** BullMQ's types leave out that a fetch finds nothing. */
const NO_JOB = undefined as unknown as Job;

const ended = async (client: BlockingClient): Promise<void> => {
  const limit = new AbortController();
  await Promise.race([
    new Promise<void>((resolve) => client.once('end', () => resolve())),
    sleep(UNBLOCK_LIMIT_MS, undefined, { signal: limit.signal }).catch(() => undefined),
  ]);
  limit.abort();
};
