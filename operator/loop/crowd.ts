/** How long nobody has to wait before a crowd is a new one. */
const CALM_MS = 1_000;
const LONGEST_MS = 20_000;

/**
 * Whether keys wait that an event has added: more is asked for than can be done at once, and what can be said later is
 * said later. For twenty seconds at most: where the crowd does not end, nothing is gained by putting off more.
 */
export class Crowd {
  readonly #now: () => number;
  #size = 0;
  #since = Number.NEGATIVE_INFINITY;
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** So many wait from now on. */
  note(size: number): void {
    const now = this.#now();
    if (this.#size > 0) this.#lastAt = now;
    else if (size > 0 && now - this.#lastAt > CALM_MS) this.#since = now;
    this.#size = size;
  }

  isThere(): boolean {
    return this.#size > 0 && this.#now() - this.#since < LONGEST_MS;
  }
}
