import { Jobs } from './jobs.ts';
import { SimulatedReplica } from './simulated-replica.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';
import { inVictimOrder } from './victims.ts';

/** What a replica is, and how it comes and goes. */
export type Conditions = Readonly<{
  slots: number;
  /** From created to Ready. */
  coldStartMs: number;
  /** How long a replica that was told to end may finish its jobs. */
  graceMs: number;
  seed: number;
}>;

/** A killed job's lock runs out before BullMQ's stalled check gives it back: 30 s, its default, is the least. */
const STALLED_AFTER_MS = 30_000;

/** A queue and its replicas: jobs come from the trace, the number of replicas from a rule. */
export class SimulatedPool {
  readonly jobs: Jobs;
  readonly #timeline: Timeline;
  readonly #conditions: Conditions;
  /** Told when a job is added and when a replica becomes ready or is gone. */
  readonly #onChange: (what: 'job' | 'replica') => void;
  #present: readonly SimulatedReplica[] = [];
  #terminating = 0;
  #active = 0;
  #made = 0;
  /** Replicas that wait for a job, longest first: Redis serves the client that has blocked longest. */
  readonly #blocked = new Set<SimulatedReplica>();

  constructor(
    trace: Trace,
    {
      timeline,
      conditions,
      onChange,
    }: Readonly<{
      timeline: Timeline;
      conditions: Conditions;
      onChange: (what: 'job' | 'replica') => void;
    }>,
  ) {
    this.jobs = new Jobs(trace);
    this.#timeline = timeline;
    this.#conditions = conditions;
    this.#onChange = onChange;
    this.#planArrival();
  }

  /** Replicas that count: not those that were told to end. */
  get replicas(): readonly SimulatedReplica[] {
    return this.#present;
  }

  /** Everything that costs: those that are ending too. */
  get running(): number {
    return this.#present.length + this.#terminating;
  }

  get waiting(): number {
    return this.jobs.waiting;
  }

  get active(): number {
    return this.#active;
  }

  /** Sets `replicas` of the Deployment: new ones start cold, and a ReplicaSet chooses those that go. */
  scaleTo(replicas: number): void {
    const { now } = this.#timeline;
    while (this.#present.length < replicas) this.add({ ready: false });
    const surplus = this.#present.length - replicas;
    if (surplus > 0) for (const victim of inVictimOrder(this.#present, now).slice(0, surplus)) this.#end(victim);
  }

  add({ ready }: Readonly<{ ready: boolean }>): void {
    const { now } = this.#timeline;
    const replica = new SimulatedReplica(this.#made, { createdAt: now, seed: this.#conditions.seed });
    this.#made += 1;
    this.#present = [...this.#present, replica];
    if (ready) this.#becomeReady(replica);
    else this.#timeline.plan(now + this.#conditions.coldStartMs, () => this.#becomeReady(replica));
  }

  cordon(replica: SimulatedReplica): void {
    replica.cordoned = true;
    this.#blocked.delete(replica);
  }

  uncordon(replica: SimulatedReplica): void {
    replica.cordoned = false;
    this.#fill(replica);
  }

  #planArrival(): void {
    const at = this.jobs.nextArrivalAt;
    if (at !== undefined) this.#timeline.plan(at, () => this.#arrive());
  }

  /** Jobs of one moment are added together, as `addBulk` does: nobody sees a part of them. */
  #arrive(): void {
    while (this.jobs.nextArrivalAt === this.#timeline.now) this.jobs.add();
    this.#planArrival();
    this.#serve();
    this.#onChange('job');
  }

  #becomeReady(replica: SimulatedReplica): void {
    if (replica.gone) return;
    replica.readyAt = this.#timeline.now;
    this.#fill(replica);
    this.#onChange('replica');
  }

  /** Gives waiting jobs to replicas that wait for one. */
  #serve(): void {
    for (;;) {
      const [replica] = this.#blocked;
      if (replica === undefined || this.waiting === 0) return;
      this.#blocked.delete(replica);
      this.#start(replica);
      this.#block(replica);
    }
  }

  /** Lets a replica take jobs until it is full, or none is left to take. */
  #fill(replica: SimulatedReplica): void {
    while (replica.takesJobs && replica.jobs.size < this.#conditions.slots && this.#start(replica));
    this.#block(replica);
  }

  #block(replica: SimulatedReplica): void {
    if (replica.takesJobs && replica.jobs.size < this.#conditions.slots) this.#blocked.add(replica);
  }

  #start(replica: SimulatedReplica): boolean {
    const { now } = this.#timeline;
    const taken = this.jobs.take(now);
    if (taken === undefined) return false;
    replica.jobs.set(taken.job, now);
    this.#active += 1;
    this.#timeline.plan(taken.endsAt, () => this.#finish(replica, taken.job));
    return true;
  }

  #finish(replica: SimulatedReplica, job: number): void {
    const startedAt = replica.jobs.get(job);
    if (replica.gone || startedAt === undefined) return;
    replica.jobs.delete(job);
    replica.finished += 1;
    replica.finishedMs += this.#timeline.now - startedAt;
    this.#active -= 1;
    this.jobs.done();
    if (replica.terminating) this.#goWhenIdle(replica);
    else this.#fill(replica);
    if (replica.cordoned && replica.jobs.size === 0) this.#onChange('replica');
  }

  /** SIGTERM: no new job; what runs has the grace to end, then it is killed. */
  #end(replica: SimulatedReplica): void {
    replica.terminating = true;
    this.#blocked.delete(replica);
    this.#present = this.#present.filter((other) => other !== replica);
    this.#terminating += 1;
    this.#goWhenIdle(replica);
    if (!replica.gone) this.#timeline.plan(this.#timeline.now + this.#conditions.graceMs, () => this.#kill(replica));
  }

  #goWhenIdle(replica: SimulatedReplica): void {
    if (replica.jobs.size > 0) return;
    replica.gone = true;
    this.#terminating -= 1;
  }

  #kill(replica: SimulatedReplica): void {
    if (replica.gone) return;
    const lost = [...replica.jobs.keys()];
    replica.jobs.clear();
    this.#active -= lost.length;
    this.#goWhenIdle(replica);
    for (const job of lost.filter((job) => this.jobs.kill(job))) {
      this.#timeline.plan(this.#timeline.now + STALLED_AFTER_MS, () => {
        this.jobs.giveBack(job);
        this.#serve();
        this.#onChange('job');
      });
    }
  }
}
