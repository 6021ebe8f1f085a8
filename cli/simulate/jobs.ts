import type { Trace } from './trace.ts';

/** BullMQ: what stalls a second time fails (`maxStalledCount` 1). */
const KILLS_TO_FAIL = 2;

/**
 * The jobs of a trace and their queue: first in, first out. A job that was killed comes back at the front, as BullMQ's
 * stalled check puts it; its wait is the one before it first started.
 */
export class Jobs {
  /** From added to first started, in milliseconds; NaN for a job that never started. */
  readonly waits: Float64Array;
  killed = 0;
  /** Jobs that will not run any more: done, or failed. */
  ended = 0;
  readonly #trace: Trace;
  readonly #kills: Uint8Array;
  readonly #returned: number[] = [];
  #added = 0;
  #next = 0;

  constructor(trace: Trace) {
    this.#trace = trace;
    this.waits = new Float64Array(trace.arrivals.length).fill(Number.NaN);
    this.#kills = new Uint8Array(trace.arrivals.length);
  }

  get total(): number {
    return this.#trace.arrivals.length;
  }

  get waiting(): number {
    return this.#added - this.#next + this.#returned.length;
  }

  /** When the job that is added next arrives; undefined after the last. */
  get nextArrivalAt(): number | undefined {
    const arrival = this.#trace.arrivals[this.#added];
    return arrival === undefined ? undefined : this.#trace.startsAt + arrival;
  }

  add(): void {
    this.#added += 1;
  }

  /** Age of the job at the head of the queue. */
  oldestWaitMs(now: number): number | undefined {
    const head = this.#returned[0] ?? (this.#next < this.#added ? this.#next : undefined);
    return head === undefined ? undefined : now - this.#arrivalOf(head);
  }

  /** Takes the first job, which starts now. */
  take(now: number): Readonly<{ job: number; endsAt: number }> | undefined {
    if (this.waiting === 0) return undefined;
    const job = this.#returned.shift() ?? this.#next++;
    if (Number.isNaN(this.waits[job])) this.waits[job] = now - this.#arrivalOf(job);
    return { job, endsAt: now + (this.#trace.durations[job] ?? 0) };
  }

  done(): void {
    this.ended += 1;
  }

  /** Counts a kill; true when the job may run once more. */
  kill(job: number): boolean {
    this.killed += 1;
    this.#kills[job] = (this.#kills[job] ?? 0) + 1;
    const again = (this.#kills[job] ?? 0) < KILLS_TO_FAIL;
    if (!again) this.ended += 1;
    return again;
  }

  giveBack(job: number): void {
    this.#returned.push(job);
  }

  #arrivalOf(job: number): number {
    return this.#trace.startsAt + (this.#trace.arrivals[job] ?? 0);
  }
}
