import type { Millis } from '../../core/known.ts';

export type PacingOptions = Readonly<{
  /** Least time between two events that are answered. */
  leastMs: Millis;
  /** A pool whose events never end is answered ever more seldom, down to this: it is polled meanwhile. */
  mostMs: Millis;
}>;

/** How long each pool is left out after an event, so that the events of a busy queue cost a bounded number of commands. */
export class Pacing {
  readonly #options: PacingOptions;
  readonly #pauses = new Map<string, { ms: Millis; until: Millis }>();

  constructor(options: PacingOptions) {
    this.#options = options;
  }

  /** The pool was woken: until when it is left out. */
  pauseUntil(poolKey: string, now: Millis): Millis {
    const { leastMs, mostMs } = this.#options;
    const last = this.#pauses.get(poolKey);
    // Woken as soon as it was listened to again: events came all the while.
    const isBusy = last !== undefined && now - last.until < last.ms / 2;
    const ms = isBusy ? Math.min(last.ms * 2, mostMs) : leastMs;
    const until = now + ms;
    this.#pauses.set(poolKey, { ms, until });
    return until;
  }

  forget(poolKey: string): void {
    this.#pauses.delete(poolKey);
  }
}
