import type { Millis } from '../../core/known.ts';

/** So much of a minute's commands may be sent at once; the rest comes back over the minute, so no minute has more. */
const BURST_SHARE = 0.25;
const MINUTE_MS = 60_000;
/** Who was refused and does not come again needs nothing any more. */
const OWED_FOR_MS: Millis = 5_000;

/** What the commands are for: how the queue is, or who runs its jobs, without which no replica is removed. */
type BudgetUse = 'depth' | 'activeJobs';

/**
 * The Redis commands that one pool may cause. A command that serves many pools counts for each of them as its share, so
 * that the sum over all pools is what Redis was sent. The handshake of a connection counts too, and may be owed. What is
 * left is shared: the depth is asked for first in each pass, and would take every command of a queue with steady traffic.
 */
export class CommandBudget {
  readonly #now: () => Millis;
  #perMinute: number;
  #tokens: number;
  #at: Millis;
  /** Refused last: the other leaves a command for it. */
  #owed: Readonly<{ use: BudgetUse; at: Millis }> | undefined;

  constructor(perMinute: number, now: () => Millis) {
    this.#now = now;
    this.#perMinute = perMinute;
    this.#tokens = perMinute * BURST_SHARE;
    this.#at = now();
  }

  get perMinute(): number {
    return this.#perMinute;
  }

  /** `spec.queue.commandsPerMinute` has changed; what was spent stays spent. */
  set perMinute(perMinute: number) {
    this.#refill();
    this.#perMinute = perMinute;
  }

  /** In how many milliseconds a command may be sent for this; 0 for now, and then it is sent. */
  waitMs(use: BudgetUse = 'depth'): Millis {
    this.#refill();
    const owed = this.#owed !== undefined && this.#at - this.#owed.at < OWED_FOR_MS ? this.#owed.use : undefined;
    const needed = owed === undefined || owed === use ? 1 : Math.min(2, this.#most());
    const isAllowed = this.#tokens >= needed;
    if (isAllowed && owed === use) this.#owed = undefined;
    if (!isAllowed && (owed === undefined || owed === use)) this.#owed = { use, at: this.#at };
    return isAllowed ? 0 : Math.ceil((needed - this.#tokens) / this.#perMs());
  }

  charge(commands: number): void {
    this.#refill();
    this.#tokens -= commands;
  }

  #refill(): void {
    const now = this.#now();
    this.#tokens = Math.min(this.#most(), this.#tokens + Math.max(0, now - this.#at) * this.#perMs());
    this.#at = now;
  }

  #most(): number {
    return Math.max(1, this.#perMinute * BURST_SHARE);
  }

  #perMs(): number {
    return (this.#perMinute * (1 - BURST_SHARE)) / MINUTE_MS;
  }
}
