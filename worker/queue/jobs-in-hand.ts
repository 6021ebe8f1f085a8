import type { Job } from 'bullmq';

type Options = Readonly<{
  /** Gives a job of ours back to the queue and tells the other workers. Rejects when it is not ours any more. */
  moveToWait: (job: Job) => Promise<void>;
}>;

/**
 * The jobs that Redis has given to this replica, from the moment in which it may have done so until their result is
 * stored. Redis calls a job active before its answer arrives here, and BullMQ puts a job that arrived into a queue
 * before it runs it: `count` includes both, so it is never too low.
 */
export class JobsInHand {
  /** Called for each job that was handed back. */
  onHandedBack: (job: Job) => void = () => undefined;
  readonly #moveToWait: Options['moveToWait'];
  /** With the time (ms) since which each is in hand, the oldest first. */
  readonly #inHand = new Map<Job, number>();
  readonly #fetches = new Set<Promise<unknown>>();
  readonly #handingBack = new Map<Job, Promise<void>>();
  #returned = 0;
  #interrupted = false;

  constructor({ moveToWait }: Options) {
    this.#moveToWait = moveToWait;
  }

  /** Jobs in hand and fetches that may still bring one. */
  get count(): number {
    return this.#inHand.size + this.#fetches.size;
  }

  /** Jobs that are known to be in hand. */
  get known(): number {
    return this.#inHand.size;
  }

  /** Sum of the times that the jobs have been in hand. */
  runningSeconds(now = Date.now()): number {
    let sum = 0;
    for (const since of this.#inHand.values()) sum += Math.max(0, now - since);
    return sum / 1000;
  }

  /** Jobs that were handed back so far. */
  get handedBack(): number {
    return this.#returned;
  }

  /** From now on a handler that throws does not fail its job: the job goes back to the queue. */
  get interrupted(): boolean {
    return this.#interrupted;
  }

  interrupt(): void {
    this.#interrupted = true;
  }

  isHandedBack(job: Job): boolean {
    return this.#handingBack.has(job);
  }

  async whileFetching(fetch: Promise<Job>): Promise<Job> {
    this.#fetches.add(fetch);
    try {
      const job = await fetch;
      if (job) this.#inHand.set(job, Date.now());
      return job;
    } finally {
      this.#fetches.delete(fetch);
    }
  }

  /** @param work resolves with the next job if storing the result of this one brought it. */
  async whileInHand(job: Job, work: Promise<void | Job>): Promise<void | Job> {
    this.#inHand.set(job, Date.now());
    try {
      const next = await work;
      if (next) this.#inHand.set(next, Date.now());
      return next;
    } finally {
      this.#inHand.delete(job);
    }
  }

  /** Resolves once every fetch that is under way now has ended, however it did. */
  async fetchesEnded(): Promise<void> {
    await Promise.allSettled(this.#fetches);
  }

  /** Gives the job back to the queue, once; rejects if Redis refused. */
  handBack(job: Job): Promise<void> {
    const before = this.#handingBack.get(job);
    if (before) return before;
    const moved = this.#moveToWait(job).then(() => {
      this.#returned += 1;
      this.#inHand.delete(job);
      this.onHandedBack(job);
    });
    this.#handingBack.set(job, moved);
    return moved;
  }

  /**
   * Gives back whatever is still in hand, the oldest last: the queue hands out first what came back last. Resolves when
   * Redis has answered for each. What it refused, because a result was stored before, stays in hand or has left it.
   */
  async handBackAll(): Promise<void> {
    const youngestFirst = [...this.#inHand.keys()].toReversed();
    await Promise.allSettled(youngestFirst.map((job) => this.handBack(job)));
  }
}
