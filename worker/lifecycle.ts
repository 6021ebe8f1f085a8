import { setTimeout as sleep } from 'node:timers/promises';
import type { Cordon } from './cordon.ts';
import { describeError } from './log.ts';
import type { ErrorReport, Log } from './log.ts';
import { PROCESS_START_MS } from './process-start.ts';
import type { FetchGate } from './queue/fetch-gate.ts';
import type { QueueWorker } from './queue/queue-worker.ts';
import { within } from './redis-link.ts';
import type { RedisLink } from './redis-link.ts';
import type { WorkerTiming } from './timing.ts';

/** Why a worker ended, it was asked to or it cannot go on, and what became of the jobs that it could not finish. */
export type WorkerExit = StopReason &
  Readonly<{
    /** Jobs that were given back to the queue before they were done. */
    handedBack: number;
    /** Jobs that could not even be given back: another worker gets them when their lock has run out. */
    lost: number;
  }>;

export type StopReason = Readonly<{ ok: true } | { ok: false; because: string }>;

export type Readiness = { ready: true } | { ready: false; because: string };

type Parts = Readonly<{
  worker: QueueWorker;
  gate: FetchGate;
  cordon: Cordon;
  link: RedisLink;
  log: Log;
  reportError: ErrorReport;
  drainTimeoutMs: number;
  timing: Pick<WorkerTiming, 'stopIdleMs' | 'abortMs' | 'handBackMs'>;
}>;

const POLL_MS = 20;

/**
 * starting → running → stopping → ended. A worker is ready from the first moment that it ran and reached Redis, and
 * stays so: were an outage of Redis to make all replicas unready, a rollout would stall and the whole pool look dead.
 * Only one that is cordoned and idle is not ready: that is how the ReplicaSet learns which replica may go.
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
    const { link, cordon, worker } = this.#parts;
    if (!this.#wasReady) return { ready: false, because: `starting; Redis ${link.because}` };
    if (cordon.holds && worker.jobs.count === 0) return { ready: false, because: 'cordoned, and no job runs' };
    return { ready: true };
  }

  /** Runs until the worker ends, whatever ends it. Never rejects. */
  run(): Promise<WorkerExit> {
    void this.#fetchJobs().then((failure) => {
      if (failure !== undefined) void this.stop({ ok: false, because: failure });
    });
    return this.#ended.promise;
  }

  /**
   * Takes no new job, lets those that run end within the drain limit, hands back the others, closes everything. Called
   * again it gives the first call's result.
   */
  stop(reason: StopReason): Promise<WorkerExit> {
    this.#stopping ??= this.#finish(reason);
    return this.#stopping;
  }

  /** Resolves with a reason when the worker stopped fetching by itself, with nothing when it was stopped. */
  async #fetchJobs(): Promise<string | undefined> {
    const { worker, log } = this.#parts;
    let because: string;
    try {
      await worker.waitUntilReady();
      if (this.#stopping) return undefined;
      const loopEnded = worker.work();
      this.#wasReady = true;
      log.info({ sinceProcessStartMs: Date.now() - PROCESS_START_MS }, 'ready for jobs');
      because = await loopEnded;
    } catch (error) {
      because = describeError(error);
    }
    return this.#stopping ? undefined : `the queue cannot be worked: ${because}`;
  }

  async #finish(reason: StopReason): Promise<WorkerExit> {
    const { worker, gate, link, log, reportError, drainTimeoutMs, timing } = this.#parts;
    const { jobs } = worker;
    if (reason.ok) log.info({ active: jobs.count }, 'stopping: finishing the jobs that run, taking no new one');
    else log.error({ active: jobs.count, because: reason.because }, 'stopping: cannot go on');
    const fetchingStopped = gate.hold('stopping', 'told to stop');
    await this.#untilIdle(drainTimeoutMs);
    if (jobs.known > 0) await this.#handBackRest();
    await fetchingStopped;
    await within(worker.abandon(), timing.stopIdleMs).catch((error: unknown) =>
      reportError('closing the queue failed', error),
    );
    link.close();
    const exit = { ...reason, handedBack: jobs.handedBack, lost: jobs.known };
    if (exit.lost > 0) log.error({ lost: exit.lost }, 'jobs could not be handed back: their locks must run out first');
    log.info(exit.handedBack > 0 ? { handedBack: exit.handedBack } : {}, 'stopped');
    this.#ended.resolve(exit);
    return exit;
  }

  /** What the drain limit left: handlers that heed their signal end first, each handing back its job as it does. */
  async #handBackRest(): Promise<void> {
    const { worker, log, timing } = this.#parts;
    const { jobs } = worker;
    log.warn({ active: jobs.known }, 'the drain limit is over: interrupting the jobs that still run');
    jobs.interrupt();
    worker.cancelAllJobs();
    await this.#untilIdle(timing.abortMs);
    await within(jobs.handBackAll(), timing.handBackMs).catch(() => undefined);
  }

  /**
   * Resolves when nothing is in hand, at the latest when the limit is over. A running job is waited for while Redis is
   * away too: its result can only be stored there. A fetch that Redis does not answer, when nothing runs, is not.
   */
  async #untilIdle(limitMs: number): Promise<void> {
    const { jobs } = this.#parts.worker;
    const end = performance.now() + limitMs;
    let busyAt = performance.now();
    while (jobs.count > 0 && performance.now() < end) {
      if (jobs.known > 0) busyAt = performance.now();
      else if (performance.now() - busyAt > this.#parts.timing.stopIdleMs) return;
      await sleep(POLL_MS);
    }
  }
}
