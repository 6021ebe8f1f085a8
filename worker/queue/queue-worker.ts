import { setTimeout as sleep } from 'node:timers/promises';
import { WaitingError, Worker } from 'bullmq';
import type { Job, Processor } from 'bullmq';
import type { Redis } from 'ioredis';
import type { WorkerConfig } from '../config.ts';
import { describeError } from '../log.ts';
import { within } from '../redis-link.ts';
import type { WorkerTiming } from '../timing.ts';
import { JobsInHand } from './jobs-in-hand.ts';

type Options = Readonly<{
  config: Pick<WorkerConfig, 'queue' | 'podName' | 'concurrency'>;
  timing: WorkerTiming;
  client: Redis;
  processor: Processor;
}>;

/** What is needed of an ioredis client here; BullMQ hands out its blocking one behind a wider type. */
type BlockingClient = Pick<Redis, 'status' | 'on' | 'once' | 'off' | 'disconnect'>;

/** Longest wait for the blocking connection to end when the worker stops fetching. */
const UNBLOCK_LIMIT_MS = 1_000;

/**
 * BullMQ's Worker with what it lacks: a number of jobs in hand that is never too low, a stop of fetching that takes no
 * job more and can be undone, jobs that are handed back before they are done, and a pause after Redis refused a fetch
 * (BullMQ asks again without one and so keeps a core and the log busy).
 *
 * `moveToActive`, `callProcessJob`, `processJob`, `backend`, `lockManager`, `paused` and `toKey` are not a stable API:
 * BullMQ is pinned and tests hold it (docs/adr/0011-cordon-by-guard-and-marker.md).
 */
export class QueueWorker extends Worker {
  readonly jobs: JobsInHand;
  readonly #timing: WorkerTiming;
  readonly #client: Redis;
  readonly #loopEnded = Promise.withResolvers<string>();
  #blocking: BlockingClient | undefined;
  #readIsCutOff = false;
  #started = false;
  #resumes = 0;

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
    this.jobs = new JobsInHand({
      moveToWait: async (job) => {
        this.lockManager.untrackJob(job.id ?? '');
        await job.moveToWait(job.token);
        // BullMQ announces only a job without a priority; the other one would wait for a worker's next look, 5 s or more.
        await this.#announce();
      },
    });
  }

  /**
   * Why no job can be fetched, or undefined. BullMQ fetches over a connection of its own, which can be dead while PING
   * on the other succeeds (taskforcesh/bullmq#4479, #4585). While paused or closing it is disconnected on purpose.
   */
  get fetchFault(): string | undefined {
    if (this.closing || this.paused) return undefined;
    if (!this.#blocking) return 'the connection for fetching is not established yet';
    return this.#blocking.status === 'ready' ? undefined : `the connection for fetching is ${this.#blocking.status}`;
  }

  /** Waits without limit for both connections, rejects when Redis can never serve BullMQ (too old, INFO forbidden). */
  override async waitUntilReady(): Promise<void> {
    await super.waitUntilReady();
    if (this.#blocking) return; // BullMQ calls this too
    this.#blocking = (await this.backend.blockingClient) as unknown as BlockingClient;
    this.#watch(this.#blocking);
  }

  /** Begins to fetch, unless it is to take no job. Resolves with the reason if BullMQ's loop ever ends by itself. */
  work(): Promise<string> {
    this.#started = true;
    if (!this.paused) void this.run();
    return this.#loopEnded.promise;
  }

  /** BullMQ's `resume` calls this too, and nobody would hear of it when its loop fails. */
  override async run(): Promise<void> {
    const resumes = this.#resumes;
    try {
      await super.run();
    } catch (error) {
      this.#loopEnded.resolve(describeError(error));
      return;
    }
    if (this.paused || this.closing) return;
    // A resume in the moment in which the paused loop ends believes it to run still, and starts none.
    if (this.#resumes === resumes) this.#loopEnded.resolve('BullMQ ended its loop by itself');
    else await this.run();
  }

  /**
   * Takes no job from now on, except the one that a fetch under way brings; what runs goes on. `pause` alone would let
   * an idle worker take one more: its blocked read is not ended, and what follows it does not look again. And another
   * worker starts a waiting job as fast as before: the marker that announces it may have been handed to this worker's
   * read, so it is put back once that is over.
   */
  async stopFetching(): Promise<void> {
    await this.pause(true);
    await this.#endBlockedRead();
  }

  /** Undoes `stopFetching`. */
  async fetchAgain(): Promise<void> {
    if (!this.#started) {
      this.paused = false;
      return;
    }
    this.#resumes += 1;
    await this.resume();
  }

  /** Ends without waiting for a job or for Redis. */
  async abandon(): Promise<void> {
    this.#blocking?.disconnect();
    await this.close(true);
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    if (this.closing || this.paused) return NO_JOB;
    try {
      return await this.jobs.whileFetching(super.moveToActive(token, name));
    } catch (error) {
      await sleep(this.#timing.fetchRetryMs);
      throw error;
    }
  }

  protected override async callProcessJob(job: Job, token: string, signal?: AbortSignal): Promise<unknown> {
    try {
      const result: unknown = await super.callProcessJob(job, token, signal);
      if (!this.jobs.isHandedBack(job)) return result;
    } catch (error) {
      if (!this.jobs.interrupted && !this.jobs.isHandedBack(job)) throw error;
      // Were Redis to refuse it, the job would keep its lock and another worker would find it: no attempt is spent.
      await this.jobs.handBack(job).catch(() => undefined);
    }
    // To BullMQ: leave this job alone, it is not ours any more.
    throw new WaitingError();
  }

  override async processJob(...args: Parameters<Worker['processJob']>): Promise<void | Job> {
    return this.jobs.whileInHand(args[0], super.processJob(...args));
  }

  #watch(client: BlockingClient): void {
    client.on('ready', () => {
      if (this.#readIsCutOff && this.paused && !this.closing) void this.#endBlockedRead();
    });
    // BullMQ may be about to connect it anew in the moment in which it is closed, and from then on nobody listens to it.
    const drop = () => this.closing && client.disconnect();
    client.on('connect', drop);
    client.on('reconnecting', drop);
    client.on('error', () => undefined);
  }

  async #endBlockedRead(): Promise<void> {
    const client = this.#blocking;
    // What an outage cut off is sent again after it, and ended then. To disconnect now would not do: ioredis, while it
    // waits to connect anew, then neither ends nor connects ever again.
    this.#readIsCutOff = client?.status !== 'ready';
    if (client?.status !== 'ready') return;
    await ended(client, UNBLOCK_LIMIT_MS);
    await this.#announce();
    // Ready to be used as soon as jobs are fetched again.
    if (!this.closing) void this.backend.reconnectBlocking().catch(() => undefined);
  }

  /** Tells a worker that waits for a job that there may be one. */
  async #announce(): Promise<void> {
    if (this.#client.status !== 'ready') return;
    // A Redis that hangs must not keep a worker that has nothing to do; the marker is worth no more than a short wait.
    await within(this.#client.zadd(this.toKey('marker'), 0, '0'), this.#timing.pingMs).catch(() => undefined);
  }
}

/** BullMQ's types leave out that a fetch finds nothing. */
const NO_JOB = undefined as unknown as Job;

/** Disconnects, and waits until Redis has ended the connection too: from then on it hands nothing to it. */
const ended = async (client: BlockingClient, limitMs: number): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  client.once('end', resolve);
  client.disconnect();
  await within(promise, limitMs).catch(() => undefined);
  client.off('end', resolve);
};
