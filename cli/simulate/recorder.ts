/** What is drawn: one point for each step of time, the most jobs that waited in it and the most replicas that ran. */
export type Series = Readonly<{
  startsAt: number;
  stepMs: number;
  waiting: readonly number[];
  replicas: readonly number[];
}>;

type Counts = Readonly<{ waiting: number; active: number; running: number }>;

/** Points over the length of the trace; a backlog that outlasts it makes them up to twice as many, then coarser. */
const POINTS = 600;

/** Adds up what a replay costs, and keeps of it what a chart needs, however long it lasts. */
export class Recorder {
  replicaMs = 0;
  jobMs = 0;
  readonly #startsAt: number;
  #stepMs: number;
  #waiting: number[] = [0];
  #replicas: number[] = [0];
  #last: Readonly<{ at: number; counts: Counts }>;

  constructor({ startsAt, lengthMs }: Readonly<{ startsAt: number; lengthMs: number }>) {
    this.#startsAt = startsAt;
    this.#stepMs = Math.max(1000, lengthMs / POINTS);
    this.#last = { at: startsAt, counts: { waiting: 0, active: 0, running: 0 } };
  }

  /** What is so from `at` on; what was so before lasted until then. */
  note(at: number, { waiting, active, running }: Counts): void {
    const { counts } = this.#last;
    const lasted = at - this.#last.at;
    this.replicaMs += counts.running * lasted;
    this.jobMs += (counts.waiting + counts.active) * lasted;
    this.#last = { at, counts: { waiting, active, running } };
    this.#fillUpTo(this.#pointOf(at), counts);
    const point = this.#waiting.length - 1;
    this.#waiting[point] = Math.max(this.#waiting[point] ?? 0, waiting);
    this.#replicas[point] = Math.max(this.#replicas[point] ?? 0, running);
  }

  series(): Series {
    return { startsAt: this.#startsAt, stepMs: this.#stepMs, waiting: this.#waiting, replicas: this.#replicas };
  }

  #pointOf(at: number): number {
    while ((at - this.#startsAt) / this.#stepMs >= 2 * POINTS) this.#coarsen();
    return Math.floor((at - this.#startsAt) / this.#stepMs);
  }

  #fillUpTo(point: number, { waiting, running }: Counts): void {
    while (this.#waiting.length <= point) {
      this.#waiting.push(waiting);
      this.#replicas.push(running);
    }
  }

  #coarsen(): void {
    this.#stepMs *= 2;
    this.#waiting = inPairs(this.#waiting);
    this.#replicas = inPairs(this.#replicas);
  }
}

const inPairs = (values: readonly number[]): number[] =>
  Array.from({ length: Math.ceil(values.length / 2) }, (_, pair) =>
    Math.max(values[2 * pair] ?? 0, values[2 * pair + 1] ?? 0),
  );
