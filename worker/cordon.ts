import type { Log } from './log.ts';
import type { FetchGate } from './queue/fetch-gate.ts';
import type { JobsInHand } from './queue/jobs-in-hand.ts';
import { within } from './redis-link.ts';
import type { WorkerTiming } from './timing.ts';

/** The lease as it is now. */
export type CordonState = Readonly<{
  /** ISO 8601 by this replica's clock, or null. To be shown. */
  cordonedUntil: string | null;
  /** By a clock that nobody sets; 0 when not cordoned. To be decided on. */
  cordonSecondsLeft: number;
}>;

type Parts = Readonly<{
  gate: FetchGate;
  jobs: JobsInHand;
  log: Log;
  timing: Pick<WorkerTiming, 'cordonSettleMs'>;
}>;

/**
 * The operator's wish that this replica takes no new job. A lease: it ends by itself, so that a replica works again when
 * whoever cordoned it is gone. Timers and `performance.now` run on the monotonic clock: a clock that is set neither
 * shortens nor prolongs it.
 */
export class Cordon {
  readonly #parts: Parts;
  #ends: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get state(): CordonState {
    const leftMs = this.#ends === undefined ? 0 : Math.max(0, this.#ends - performance.now());
    return {
      cordonedUntil: leftMs > 0 ? new Date(Date.now() + leftMs).toISOString() : null,
      cordonSecondsLeft: Math.floor(leftMs) / 1000,
    };
  }

  /** True from the call of `cordon` to the end of its lease. */
  get holds(): boolean {
    return this.#ends !== undefined;
  }

  /**
   * Begins the lease or replaces the one that runs. Resolves when no fetch begins any more and those under way have
   * brought their job or ended; one that takes longer stays counted in the jobs in hand.
   */
  async cordon(seconds: number): Promise<void> {
    const { gate, jobs, log, timing } = this.#parts;
    clearTimeout(this.#timer);
    if (!this.holds) log.info({ seconds, active: jobs.count }, 'cordoned: taking no new job');
    this.#ends = performance.now() + seconds * 1000;
    this.#timer = setTimeout(() => void this.#end('its lease is over'), seconds * 1000);
    this.#timer.unref();
    await gate.hold('cordoned', 'cordoned by the operator');
    await within(jobs.fetchesEnded(), timing.cordonSettleMs).catch(() => undefined);
  }

  /** Resolves when jobs are taken again, unless something else stands against it. */
  async uncordon(): Promise<void> {
    await this.#end('asked to');
  }

  async #end(because: string): Promise<void> {
    const { gate, log } = this.#parts;
    clearTimeout(this.#timer);
    if (this.holds) log.info({ because }, 'uncordoned: taking jobs again');
    this.#ends = undefined;
    await gate.release('cordoned');
  }
}
