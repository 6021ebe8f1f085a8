import { type BackoffOptions, halfJitter } from '../kube/backoff.ts';
import { clampDelay, type Deferred, deferred } from '../kube/wait.ts';

export type Priority = 'urgent' | 'normal' | 'low';

/** What a queue tells those who count. Times are milliseconds. */
export type QueueObserver = Readonly<{
  added?: () => void;
  retried?: () => void;
  depth?: (waiting: number) => void;
  started?: (waitedMs: number) => void;
  finished?: (workedMs: number) => void;
}>;

export type WorkQueueOptions = Readonly<{
  /** Delay of the n-th failure in a row: half of min(base·2ⁿ, max), and a random part of the other half. */
  backoff?: BackoffOptions;
  random?: () => number;
  observer?: QueueObserver;
}>;

/**
 * Keys that wait for work. A key waits at most once and is worked on at most once at a time; one that is added while it
 * is worked on waits again afterwards. First come, first served, so a noisy key takes its turn like any other; a lower
 * priority goes after a higher one, but one take in ten serves it first, so that none ever starves.
 */
export type WorkQueue = Readonly<{
  /** Due now. A later delay of the key is void, unless this is of low priority; no priority holds back a higher one. */
  add(key: string, priority?: Priority): void;
  /** Due after `ms`. Of several delays the earliest holds, with its priority. */
  addAfter(key: string, ms: number, priority?: Priority): void;
  /** Due after the key's backoff, or after `atLeastMs`; answers with the delay in ms. */
  addRateLimited(key: string, atLeastMs?: number): number;
  /** Ends the key's backoff. */
  forget(key: string): void;
  /** How often in a row the key has failed. */
  failures(key: string): number;
  /** The next key, once there is one; undefined when the queue was shut down. Must be followed by `done`. */
  take(): Promise<string | undefined>;
  done(key: string): void;
  /** Drops a key that no longer exists: its delay, backoff and turn. */
  drop(key: string): void;
  /** Keys that are due and wait, all or of one priority. */
  size(priority?: Priority): number;
  /** For each key that is worked on, since how many ms. */
  running(): ReadonlyMap<string, number>;
  /** Nothing is taken any more; what runs goes on. */
  shutDown(): void;
}>;

const highestFirst: readonly Priority[] = ['urgent', 'normal', 'low'];
const turns = 10;
/** Who goes first in which of the turns, where that is not the highest. */
const firstInTurn: Readonly<Record<number, readonly Priority[]>> = {
  4: ['normal', 'urgent', 'low'],
  9: ['low', 'urgent', 'normal'],
};
const isHigher = (a: Priority, b: Priority): boolean => highestFirst.indexOf(a) < highestFirst.indexOf(b);

export function createWorkQueue(options: WorkQueueOptions = {}): WorkQueue {
  return new KeyQueue(options);
}

type Delay = { dueAt: number; priority: Priority; timer: NodeJS.Timeout };

class KeyQueue implements WorkQueue {
  private readonly lanes: Record<Priority, Map<string, number>> = {
    urgent: new Map(),
    normal: new Map(),
    low: new Map(),
  };
  private readonly runningSince = new Map<string, number>();
  private readonly addedWhileRunning = new Map<string, Priority>();
  private readonly delays = new Map<string, Delay>();
  private readonly failureCounts = new Map<string, number>();
  private readonly takers: Deferred<string | undefined>[] = [];
  private readonly backoff: BackoffOptions;
  private readonly random: () => number;
  private readonly observer: QueueObserver;
  private turn = 0;
  private isShutDown = false;

  constructor({ backoff = { baseMs: 50, maxMs: 300_000 }, random = Math.random, observer = {} }: WorkQueueOptions) {
    this.backoff = backoff;
    this.random = random;
    this.observer = observer;
  }

  add(key: string, priority: Priority = 'normal'): void {
    if (this.isShutDown) return;
    if (priority !== 'low') this.clearDelay(key);
    if (this.runningSince.has(key)) return this.addWhileRunning(key, priority);
    const before = this.laneOf(key);
    if (before !== undefined && !isHigher(priority, before)) return;
    const since = (before && this.lanes[before].get(key)) ?? performance.now();
    if (before !== undefined) this.lanes[before].delete(key);
    this.lanes[priority].set(key, since);
    this.observer.added?.();
    this.serve();
  }

  addAfter(key: string, ms: number, priority: Priority = 'normal'): void {
    if (this.isShutDown || this.lanes.urgent.has(key) || this.lanes.normal.has(key)) return;
    if (ms <= 0) return this.add(key, priority);
    const dueAt = performance.now() + ms;
    const pending = this.delays.get(key);
    if (pending && pending.dueAt <= dueAt) return;
    this.clearDelay(key);
    this.delays.set(key, { dueAt, priority, timer: this.timerFor(key, dueAt) });
  }

  addRateLimited(key: string, atLeastMs = 0): number {
    const failures = this.failures(key);
    this.failureCounts.set(key, failures + 1);
    const delay = Math.max(atLeastMs, halfJitter(failures, this.backoff, this.random));
    this.observer.retried?.();
    this.addAfter(key, delay);
    return delay;
  }

  forget(key: string): void {
    this.failureCounts.delete(key);
  }

  failures(key: string): number {
    return this.failureCounts.get(key) ?? 0;
  }

  take(): Promise<string | undefined> {
    const taker = deferred<string | undefined>();
    this.takers.push(taker);
    this.serve();
    return taker.promise;
  }

  done(key: string): void {
    const since = this.runningSince.get(key);
    if (since === undefined) return;
    this.runningSince.delete(key);
    this.observer.finished?.(performance.now() - since);
    const priority = this.addedWhileRunning.get(key);
    this.addedWhileRunning.delete(key);
    if (priority) this.add(key, priority);
  }

  drop(key: string): void {
    this.clearDelay(key);
    this.forget(key);
    this.addedWhileRunning.delete(key);
    for (const lane of Object.values(this.lanes)) lane.delete(key);
    this.observer.depth?.(this.size());
  }

  size(priority?: Priority): number {
    if (priority !== undefined) return this.lanes[priority].size;
    return Object.values(this.lanes).reduce((sum, lane) => sum + lane.size, 0);
  }

  running(): ReadonlyMap<string, number> {
    const now = performance.now();
    return new Map([...this.runningSince].map(([key, since]) => [key, now - since]));
  }

  shutDown(): void {
    this.isShutDown = true;
    for (const key of this.delays.keys()) this.clearDelay(key);
    for (const lane of Object.values(this.lanes)) lane.clear();
    for (const taker of this.takers.splice(0)) taker.resolve(undefined);
  }

  /** setTimeout may fire a moment early and cannot wait longer than 24 days; both end in another wait. */
  private timerFor(key: string, dueAt: number): NodeJS.Timeout {
    return setTimeout(
      () => {
        const delay = this.delays.get(key);
        if (!delay) return;
        if (performance.now() < delay.dueAt) delay.timer = this.timerFor(key, delay.dueAt);
        else {
          this.delays.delete(key);
          this.add(key, delay.priority);
        }
      },
      Math.ceil(clampDelay(dueAt - performance.now())),
    );
  }

  private addWhileRunning(key: string, priority: Priority): void {
    const asked = this.addedWhileRunning.get(key);
    if (asked === undefined || isHigher(priority, asked)) this.addedWhileRunning.set(key, priority);
  }

  private laneOf(key: string): Priority | undefined {
    return highestFirst.find((priority) => this.lanes[priority].has(key));
  }

  private clearDelay(key: string): void {
    const delay = this.delays.get(key);
    if (!delay) return;
    clearTimeout(delay.timer);
    this.delays.delete(key);
  }

  private serve(): void {
    while (this.takers.length > 0) {
      const next = this.isShutDown ? undefined : this.next();
      if (next === undefined && !this.isShutDown) break;
      this.takers.shift()?.resolve(next);
    }
    this.observer.depth?.(this.size());
  }

  private next(): string | undefined {
    const order = firstInTurn[this.turn % turns] ?? highestFirst;
    const lane = order.find((priority) => this.lanes[priority].size > 0);
    if (lane === undefined) return undefined;
    const entry = this.lanes[lane].entries().next();
    if (entry.done) return undefined;
    const [key, since] = entry.value;
    this.turn += 1;
    this.lanes[lane].delete(key);
    const now = performance.now();
    this.runningSince.set(key, now);
    this.observer.started?.(now - since);
    return key;
  }
}
