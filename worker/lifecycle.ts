import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from './log.ts';
import type { ErrorReport, Log } from './log.ts';
import { PROCESS_START_MS } from './process-start.ts';
import type { QueueWorker } from './queue/queue-worker.ts';
import type { RedisLink } from './redis-link.ts';
import type { WorkerTiming } from './timing.ts';

/** Why a worker ended: it was asked to, or it cannot go on. */
export type WorkerExit = Readonly<{ ok: true } | { ok: false; because: string }>;

export type Readiness = { ready: true } | { ready: false; because: string };

type Parts = Readonly<{
  worker: QueueWorker;
  link: RedisLink;
  log: Log;
  reportError: ErrorReport;
  timing: Pick<WorkerTiming, 'stopWithoutRedisMs' | 'stopIdleMs'>;
}>;

const POLL_MS = 50;

/**
 * starting → running → stopping → ended. A worker is ready from the first moment that it ran and reached Redis, and
 * stays so: were an outage of Redis to make all replicas unready, a rollout would stall and the whole pool look dead.
 */
export class Lifecycle {
  readonly #parts: Parts;
  #wasReady = false;
  #stopping: Promise<WorkerExit> | undefined;
  readonly #ended = Promise.withResolvers<WorkerExit>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get readiness(): Readiness {
    return this.#wasReady ? { ready: true } : { ready: false, because: `starting; Redis ${this.#parts.link.because}` };
  }

  /** Runs until the worker ends, whatever ends it. Never rejects. */
  run(): Promise<WorkerExit> {
    void this.#fetchJobs().then((failure) => {
      if (failure !== undefined) void this.stop({ ok: false, because: failure });
    });
    return this.#ended.promise;
  }

  /** Takes no new job, lets those that run end, closes everything. Called again it gives the first call's result. */
  stop(exit: WorkerExit): Promise<WorkerExit> {
    this.#stopping ??= this.#finish(exit);
    return this.#stopping;
  }

  /** Resolves with a reason when the worker stopped fetching by itself, with nothing when it was stopped. */
  async #fetchJobs(): Promise<string | undefined> {
    const { worker, log } = this.#parts;
    try {
      await worker.waitUntilReady();
      if (this.#stopping) return undefined;
      const running = worker.run();
      this.#wasReady = true;
      log.info({ sinceProcessStartMs: Date.now() - PROCESS_START_MS }, 'ready for jobs');
      await running;
    } catch (error) {
      return this.#stopping ? undefined : `the queue cannot be worked: ${describeError(error)}`;
    }
    return this.#stopping || worker.isPaused() ? undefined : 'BullMQ ended its loop by itself';
  }

  async #finish(exit: WorkerExit): Promise<WorkerExit> {
    const { worker, link, log, reportError } = this.#parts;
    if (exit.ok) log.info({ active: worker.activeJobs }, 'stopping: finishing the jobs that run, taking no new one');
    else log.error({ active: worker.activeJobs, because: exit.because }, 'stopping: cannot go on');
    const done = new AbortController();
    await Promise.race([
      worker.finish().catch((error: unknown) => reportError('closing the queue failed', error)),
      this.#idleForLong(done.signal),
    ]);
    done.abort();
    worker.abandon();
    link.close();
    log.info('stopped');
    this.#ended.resolve(exit);
    return exit;
  }

  /**
   * Resolves when nothing has run for a while: BullMQ's close waits for Redis without limit, and hangs when Redis comes
   * back in the middle of it, but here nothing is left that would have to be stored. While a job runs this waits too,
   * since its result can only be stored in Redis.
   */
  async #idleForLong(done: AbortSignal): Promise<void> {
    const { worker, link, timing } = this.#parts;
    let idleMs = 0;
    let withoutRedisMs = 0;
    while (!done.aborted && idleMs < timing.stopIdleMs && withoutRedisMs < timing.stopWithoutRedisMs) {
      await sleep(POLL_MS);
      idleMs = worker.activeJobs > 0 ? 0 : idleMs + POLL_MS;
      withoutRedisMs = link.connected || worker.activeJobs > 0 ? 0 : withoutRedisMs + POLL_MS;
    }
  }
}
