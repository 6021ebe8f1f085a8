import TinyQueue from 'tinyqueue';

type Entry = Readonly<{ at: number; order: number; run: () => void }>;

/**
 * The clock of a simulation: what happens later, in the order of time. What happens at the same time keeps the order
 * in which it was planned.
 */
export class Timeline {
  readonly #entries = new TinyQueue<Entry>([], (a, b) => a.at - b.at || a.order - b.order);
  #planned = 0;
  #now: number;

  constructor(startsAt: number) {
    this.#now = startsAt;
  }

  get now(): number {
    return this.#now;
  }

  plan(at: number, run: () => void): void {
    this.#entries.push({ at, order: this.#planned, run });
    this.#planned += 1;
  }

  /** Goes on to the next entry and runs it; false when nothing is planned any more. */
  step(): boolean {
    const next = this.#entries.pop();
    if (next === undefined) return false;
    this.#now = next.at;
    next.run();
    return true;
  }
}
