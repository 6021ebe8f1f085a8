import type { Millis } from '../../core/known.ts';

/** So much of a minute's commands may be sent at once; the rest comes back over the minute, so no minute has more. */
const BURST_SHARE = 0.25;
const MINUTE_MS = 60_000;

/**
 * The Redis commands that one pool may cause. A command that serves many pools counts for each of them as its share, so
 * that the sum over all pools is what Redis was sent. The handshake of a connection counts too, and may be owed.
 */
export class CommandBudget {
  readonly #now: () => Millis;
  #perMinute: number;
  #tokens: number;
  #at: Millis;

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

  /** In how many milliseconds a command may be sent; 0 for now. */
  waitMs(): Millis {
    this.#refill();
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs());
  }

  charge(commands: number): void {
    this.#refill();
    this.#tokens -= commands;
  }

  #refill(): void {
    const now = this.#now();
    const most = Math.max(1, this.#perMinute * BURST_SHARE);
    this.#tokens = Math.min(most, this.#tokens + Math.max(0, now - this.#at) * this.#perMs());
    this.#at = now;
  }

  #perMs(): number {
    return (this.#perMinute * (1 - BURST_SHARE)) / MINUTE_MS;
  }
}
