import type { BackoffOptions } from '../kube/backoff.ts';
import { isConflict, isTerminalRefusal, KubeError } from '../kube/errors.ts';
import { type Logger, messageOf } from '../kube/log.ts';
import { clampDelay, linkedSignal, settledWithin } from '../kube/wait.ts';
import type { Crowd } from './crowd.ts';
import { initControllerMetrics, type LoopMetrics, queueObserver, type ReconcileResult } from './metrics.ts';
import type { OwnWrites } from './own-writes.ts';
import { createWorkQueue, type Priority, type QueueObserver, type WorkQueue } from './workqueue.ts';

/** A failure that the same input would meet again: it is not repeated until the key is added again. */
export class TerminalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TerminalError';
  }
}

/** What a pass answers. Without `recheckAfterMs` the key waits for the next change. */
export type PassResult = Readonly<{ recheckAfterMs?: number | undefined }>;

export type ControllerOptions = Readonly<{
  name: string;
  /**
   * One pass over one key, from what is. A conflict is decided again soon; a `TerminalError` or a terminal refusal of
   * the API server waits for a change; anything else is repeated with backoff. The signal ends with the time limit or
   * the controller; a pass must then stop, since its key and its turn stay taken until it does.
   */
  reconcile: (key: string, signal: AbortSignal) => Promise<PassResult | undefined>;
  /** Keys at once; 4. */
  concurrency?: number;
  /** 60 s. */
  timeLimitMs?: number;
  backoff?: BackoffOptions;
  ownWrites?: OwnWrites;
  /** All keys, added with low priority every `everyMs`, a tenth more or less. */
  resync?: Readonly<{ everyMs: number; keys: () => Iterable<string> }>;
  log: Logger;
  metrics?: LoopMetrics;
  /** Is told how many keys wait that an event has added. */
  crowd?: Crowd;
  random?: () => number;
}>;

export type Controller = Readonly<{
  name: string;
  queue: WorkQueue;
  /** Adds a key; before `start` keys only gather. */
  enqueue(key: string, priority?: Priority): void;
  start(): void;
  /**
   * Takes nothing more, waits `graceMs` (1 s) for the passes that run, then aborts them. One that does not end within
   * 500 ms of that is left behind: the next leader waits for the lease, and this process may write nothing any more.
   */
  stop(graceMs?: number): Promise<void>;
  /** What is wrong with this controller's own progress, or undefined. For `/healthz`. */
  problem(): string | undefined;
}>;

export function createController(options: ControllerOptions): Controller {
  return new PassController(options);
}

type FailureFields = Readonly<{
  controller: string;
  key: string;
  because: string;
  failures?: number;
  delayMs?: number;
  stack?: string;
}>;

/** What a pass that was aborted needs to see it. */
const abortedEndMs = 500;

const programmingErrors = [TypeError, RangeError, ReferenceError, SyntaxError];

class PassController implements Controller {
  readonly name: string;
  readonly queue: WorkQueue;
  private readonly options: ControllerOptions;
  private readonly concurrency: number;
  private readonly timeLimitMs: number;
  private readonly ending = new AbortController();
  private readonly reported = new Map<string, string>();
  private workers: Promise<void>[] = [];
  private resyncTimer: NodeJS.Timeout | undefined;

  constructor(options: ControllerOptions) {
    const { name, metrics, crowd, backoff, random } = options;
    this.name = name;
    this.options = options;
    this.concurrency = options.concurrency ?? 4;
    this.timeLimitMs = options.timeLimitMs ?? 60_000;
    const observer: QueueObserver = metrics ? queueObserver(metrics, name) : {};
    const depth = (waiting: number): void => {
      observer.depth?.(waiting);
      crowd?.note(this.queue.size('urgent') + this.queue.size('normal'));
    };
    this.queue = createWorkQueue({
      ...(backoff ? { backoff } : {}),
      ...(random ? { random } : {}),
      observer: { ...observer, depth },
    });
    if (metrics) {
      initControllerMetrics(metrics, name, this.concurrency);
      metrics.watchRunning(name, () => this.queue.running());
    }
  }

  enqueue(key: string, priority?: Priority): void {
    this.queue.add(key, priority);
  }

  start(): void {
    if (this.workers.length > 0) return;
    this.workers = Array.from({ length: this.concurrency }, () => this.work());
    this.planResync();
  }

  async stop(graceMs = 1_000): Promise<void> {
    clearTimeout(this.resyncTimer);
    this.queue.shutDown();
    const ended = Promise.all(this.workers).then(() => true);
    const inTime = (await settledWithin(ended, graceMs)) ?? false;
    this.ending.abort(new Error('the controller is stopping'));
    if (inTime || (await settledWithin(ended, abortedEndMs))) return;
    const keys = [...this.queue.running().keys()].slice(0, 10);
    this.options.log.warn({ controller: this.name, keys }, 'passes that did not end are left behind');
  }

  problem(): string | undefined {
    const limit = this.timeLimitMs + 30_000;
    for (const [key, age] of this.queue.running()) {
      if (age > limit) return `${this.name}: a pass over ${key} has not ended for ${Math.round(age / 1000)} s`;
    }
    return undefined;
  }

  private async work(): Promise<void> {
    for (;;) {
      const key = await this.queue.take();
      if (key === undefined) return;
      try {
        await this.pass(key);
      } finally {
        this.queue.done(key);
      }
    }
  }

  private async pass(key: string): Promise<void> {
    const { metrics, ownWrites, reconcile } = this.options;
    const controller = this.name;
    const message = `the pass did not end within ${this.timeLimitMs} ms`;
    const link = linkedSignal([this.ending.signal], { ms: this.timeLimitMs, message });
    const began = performance.now();
    metrics?.activeWorkers.inc({ controller });
    let result: ReconcileResult;
    try {
      await ownWrites?.caughtUp(key, link.signal);
      const run = () => reconcile(key, link.signal);
      result = this.succeeded(key, await (ownWrites ? ownWrites.during(key, run) : run()));
    } catch (error) {
      if (link.timedOut()) metrics?.timeouts.inc({ controller });
      result = this.failed(key, error);
    } finally {
      link.dispose();
      metrics?.activeWorkers.dec({ controller });
    }
    metrics?.seconds.observe({ controller }, (performance.now() - began) / 1000);
    metrics?.reconciles.inc({ controller, result });
  }

  private succeeded(key: string, answer: PassResult | undefined): ReconcileResult {
    this.queue.forget(key);
    this.reported.delete(key);
    if (answer?.recheckAfterMs === undefined) return 'success';
    // What an event asks for goes first: looking again can wait for those whose turn an event has made.
    this.queue.addAfter(key, answer.recheckAfterMs, 'low');
    return 'requeue_after';
  }

  private failed(key: string, error: unknown): ReconcileResult {
    const { log, metrics } = this.options;
    const fields = { controller: this.name, key, because: messageOf(error) };
    if (this.ending.signal.aborted) {
      log.info(fields, 'a pass was ended by the shutdown');
      return 'error';
    }
    if (isConflict(error)) {
      log.debug(fields, 'what the pass decided on has changed; it is decided again');
      this.queue.addRateLimited(key);
      return 'requeue';
    }
    metrics?.errors.inc({ controller: this.name });
    if (error instanceof TerminalError || isTerminalRefusal(error)) {
      metrics?.terminalErrors.inc({ controller: this.name });
      this.queue.forget(key);
      this.report(fields, 'a pass failed; it is not repeated until something changes');
      return 'error';
    }
    const stack = programmingErrors.some((type) => error instanceof type) ? (error as Error).stack : undefined;
    if (stack) metrics?.panics.inc({ controller: this.name });
    const delay = this.queue.addRateLimited(key, error instanceof KubeError ? error.retryAfterMs : undefined);
    const failures = this.queue.failures(key);
    this.report({ ...fields, failures, delayMs: Math.round(delay), ...(stack ? { stack } : {}) }, 'a pass failed');
    return 'error';
  }

  /** Says a key's failure once, and again only when its words change. */
  private report(fields: FailureFields, message: string): void {
    const isNew = this.reported.get(fields.key) !== fields.because;
    this.reported.set(fields.key, fields.because);
    this.options.log[isNew ? 'error' : 'debug'](fields, message);
  }

  private planResync(): void {
    const { resync, random = Math.random } = this.options;
    if (!resync) return;
    const plan = () => {
      this.resyncTimer = setTimeout(
        () => {
          for (const key of resync.keys()) this.queue.add(key, 'low');
          plan();
        },
        clampDelay(resync.everyMs * (0.9 + 0.2 * random())),
      ).unref();
    };
    plan();
  }
}
