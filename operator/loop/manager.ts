import { type Logger, messageOf } from '../kube/log.ts';
import { type Deferred, deferred, linkedSignal, unlessAborted } from '../kube/wait.ts';

/** A part of the process with a life of its own. Parts start in order and stop in the opposite one. */
export type Component = Readonly<{
  name: string;
  /** Resolves when the next part may start. The signal is aborted when the process ends before that. */
  start(signal: AbortSignal): Promise<void> | void;
  stop?(): Promise<void> | void;
  /** Starts only with the lease, after all parts without this flag. */
  leaderOnly?: boolean;
}>;

/** The part of a leader elector that is needed here. */
export type ElectionHandle = Readonly<{
  start(): Promise<void>;
  acquired: Promise<Readonly<{ epoch: number }>>;
  lost: Promise<Readonly<{ because: string }>>;
  release(): Promise<void>;
}>;

/** The part of `process` that is needed here. */
export type ProcessHandle = Readonly<{
  on(event: string, listener: (argument: unknown) => void): unknown;
  off(event: string, listener: (argument: unknown) => void): unknown;
}>;

export type ManagerOptions = Readonly<{
  components: readonly Component[];
  election?: ElectionHandle;
  /** Time for all parts to stop after a signal; 30 s. With a lost lease there is none. */
  graceMs?: number;
  log: Logger;
  /** Counts errors that nobody handled. */
  onUnhandled?: () => void;
  process: ProcessHandle;
  /** Called with the exit code for a second signal, at once. `run` resolves with it otherwise. */
  exitNow: (code: number) => void;
}>;

export type Manager = Readonly<{
  /** Runs until a signal, a failure or a lost lease; resolves with the exit code after everything has stopped. */
  run(): Promise<number>;
  /** Ends the process as a failure, in order. */
  fail(because: string): void;
}>;

type End = Readonly<{ because: string; code: number; graceful: boolean }>;

/**
 * Starts what is always there, competes for the lease, starts what only a leader may run; stops all of it in the
 * opposite order and gives the lease back last, when nothing of this process acts any more.
 */
export function createManager(options: ManagerOptions): Manager {
  return new OrderedManager(options);
}

const signals = ['SIGTERM', 'SIGINT'] as const;

class OrderedManager implements Manager {
  private readonly options: ManagerOptions;
  private readonly ended: Deferred<End> = deferred();
  private readonly stopping = new AbortController();
  private readonly started: Component[] = [];
  private isEnding = false;

  constructor(options: ManagerOptions) {
    this.options = options;
  }

  async run(): Promise<number> {
    const undo = this.listen();
    try {
      const lives = this.live().catch((error: unknown) => this.end(failure(messageOf(error))));
      const end = await this.ended.promise;
      this.options.log[end.code === 0 ? 'info' : 'error']({ because: end.because }, 'stopping');
      this.stopping.abort(new Error(end.because));
      if (end.graceful) await this.stopAll(lives);
      return end.code;
    } finally {
      undo();
    }
  }

  fail(because: string): void {
    this.end(failure(because));
  }

  private async live(): Promise<void> {
    const { components, election } = this.options;
    for (const component of components) if (!component.leaderOnly) await this.startOne(component);
    if (election) {
      void election.lost.then(({ because }) => this.end({ because, code: 1, graceful: false }));
      await election.start();
      const { epoch } = await unlessAborted(election.acquired, this.stopping.signal);
      this.options.log.info({ epoch }, 'this process is the leader');
    }
    for (const component of components) if (component.leaderOnly) await this.startOne(component);
    this.options.log.info({}, 'started');
  }

  private async startOne(component: Component): Promise<void> {
    if (this.stopping.signal.aborted) throw new Error('stopped before it had started');
    this.started.push(component);
    try {
      await component.start(this.stopping.signal);
    } catch (error) {
      throw new Error(`${component.name} did not start: ${messageOf(error)}`, { cause: error });
    }
  }

  private async stopAll(lives: Promise<void>): Promise<void> {
    const { graceMs = 30_000, election, log } = this.options;
    const link = linkedSignal([], { ms: graceMs, message: `not everything stopped within ${graceMs} ms` });
    try {
      await unlessAborted(lives, link.signal);
      for (const component of this.started.toReversed()) await this.stopOne(component, link.signal);
    } catch (error) {
      log.error({ because: messageOf(error) }, 'stopped in disorder');
    } finally {
      link.dispose();
    }
    await election?.release();
  }

  private async stopOne(component: Component, limit: AbortSignal): Promise<void> {
    try {
      await unlessAborted(Promise.resolve(component.stop?.()), limit);
    } catch (error) {
      if (limit.aborted) throw new Error(`${component.name} did not stop in time`, { cause: error });
      this.options.log.error({ component: component.name, because: messageOf(error) }, 'a part did not stop well');
    }
  }

  private end(end: End): void {
    this.isEnding = true;
    this.ended.resolve(end);
  }

  private listen(): () => void {
    const { process, exitNow, log, onUnhandled } = this.options;
    const onSignal = (signal: string) => () => {
      if (this.isEnding) {
        log.warn({ signal }, 'a second signal: stopping at once');
        exitNow(1);
      } else this.end({ because: `${signal} was received`, code: 0, graceful: true });
    };
    const onError = (error: unknown) => {
      onUnhandled?.();
      const stack = error instanceof Error ? error.stack : undefined;
      log.error({ because: messageOf(error), stack }, 'an error that nobody handled');
      if (this.isEnding) exitNow(1);
      else this.end(failure('an error that nobody handled'));
    };
    const listeners: [string, (argument: unknown) => void][] = [
      ...signals.map((signal): [string, () => void] => [signal, onSignal(signal)]),
      ['unhandledRejection', onError],
      ['uncaughtException', onError],
    ];
    for (const [event, listener] of listeners) process.on(event, listener);
    return () => {
      for (const [event, listener] of listeners) process.off(event, listener);
    };
  }
}

/** Failures stop in order too, so that the lease is given back and another process takes over at once. */
const failure = (because: string): End => ({ because, code: 1, graceful: true });
