import { hashOf } from './sampling.ts';

/** One worker pod. Times in milliseconds since the epoch. */
export class SimulatedReplica {
  readonly name: string;
  /** Decides a tie of the ReplicaSet's order, and is as good as random. */
  readonly uid: number;
  readonly createdAt: number;
  readyAt = Number.NaN;
  /** Takes no new job; may be told to again. */
  cordoned = false;
  /** Carries a deletion cost: the ReplicaSet takes it before its equals. */
  marked = false;
  /** Was told to end; never comes back. */
  terminating = false;
  gone = false;
  /** When each running job started. */
  readonly jobs = new Map<number, number>();
  /** Of the jobs that ended here. */
  finished = 0;
  finishedMs = 0;

  constructor(number: number, { createdAt, seed }: Readonly<{ createdAt: number; seed: number }>) {
    this.name = `replica-${number}`;
    this.uid = hashOf(`${seed}:replica:${number}`);
    this.createdAt = createdAt;
  }

  get isStarting(): boolean {
    return Number.isNaN(this.readyAt);
  }

  /** A worker that is cordoned and idle says at once that it is not ready. */
  get isReady(): boolean {
    return !this.isStarting && !(this.cordoned && this.jobs.size === 0);
  }

  get takesJobs(): boolean {
    return !this.isStarting && !this.cordoned && !this.terminating && !this.gone;
  }
}
