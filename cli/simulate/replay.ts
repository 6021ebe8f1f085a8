import type { Pool } from '../../operator/api/parse.ts';
import { Recorder, type Series } from './recorder.ts';
import type { Autoscaler, Order, Rule, Sight } from './rules/rule.ts';
import { SimulatedPool } from './simulated-pool.ts';
import { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';

export type ReplayInput = Readonly<{
  trace: Trace;
  pool: Pool;
  coldStartMs: number;
  /** In place of each rule's own. */
  graceMs?: number;
  seed: number;
  /** Share of the jobs that have ended, 0 to 1. */
  onProgress?: (share: number) => void;
}>;

/** What one rule made of a trace. Times in milliseconds. */
export type Replay = Readonly<{
  waits: Float64Array;
  killed: number;
  replicaMs: number;
  directionChanges: number;
  series: Series;
}>;

/** A rule that leaves jobs waiting for ever ends here, as an error, and not never. */
const PATIENCE_MS = 7 * 86_400_000;

/** Replays a trace under one rule, from the first job until the last has ended. */
export function replay(rule: Rule, input: ReplayInput): Replay {
  const { trace, pool, coldStartMs, seed } = input;
  const timeline = new Timeline(trace.startsAt);
  const simulated = new SimulatedPool(trace, {
    timeline,
    conditions: { slots: pool.spec.workers.concurrency, coldStartMs, graceMs: input.graceMs ?? rule.graceMs, seed },
    onChange: () => driver.wake(),
  });
  const recorder = new Recorder({ startsAt: trace.startsAt, lengthMs: trace.arrivals.at(-1) ?? 0 });
  const driver = new Driver(rule.start(pool), { timeline, simulated, recorder });
  driver.begin();
  const { jobs } = simulated;
  const endsAt = trace.startsAt + trace.durations.reduce((sum, each) => sum + each, trace.arrivals.at(-1) ?? 0);
  for (let steps = 0; jobs.ended < jobs.total && timeline.step(); steps += 1) {
    recorder.note(timeline.now, simulated);
    if (steps % 4096 === 0) input.onProgress?.(jobs.ended / jobs.total);
    if (timeline.now > endsAt + PATIENCE_MS) throw new Error(`${rule.name} leaves ${simulated.waiting} jobs waiting`);
  }
  return {
    waits: jobs.waits,
    killed: jobs.killed,
    replicaMs: recorder.replicaMs,
    directionChanges: driver.directionChanges,
    series: recorder.series(),
  };
}

type Parts = Readonly<{ timeline: Timeline; simulated: SimulatedPool; recorder: Recorder }>;

/** Lets an autoscaler look when it asked to, and carries out what it orders. */
class Driver {
  directionChanges = 0;
  readonly #autoscaler: Autoscaler;
  readonly #parts: Parts;
  #looks = 0;
  #plannedAt = Number.POSITIVE_INFINITY;
  #wakesFrom: number | undefined;
  #lastStep = 0;

  constructor(autoscaler: Autoscaler, parts: Parts) {
    this.#autoscaler = autoscaler;
    this.#parts = parts;
  }

  begin(): void {
    const { simulated, timeline } = this.#parts;
    for (let made = 0; made < this.#autoscaler.startsWith; made += 1) simulated.add({ ready: true });
    this.#planLook(timeline.now);
  }

  wake(): void {
    if (this.#wakesFrom !== undefined) this.#planLook(Math.max(this.#parts.timeline.now, this.#wakesFrom));
  }

  /** Only the earliest look that is planned counts; it plans the next. */
  #planLook(at: number): void {
    if (at >= this.#plannedAt) return;
    this.#plannedAt = at;
    this.#looks += 1;
    const look = this.#looks;
    this.#parts.timeline.plan(at, () => {
      if (look === this.#looks) this.#look();
    });
  }

  #look(): void {
    const { timeline } = this.#parts;
    this.#plannedAt = Number.POSITIVE_INFINITY;
    const order = this.#autoscaler.look(this.#sight());
    this.#wakesFrom = order.wakesFrom;
    this.#carryOut(order);
    this.#planLook(Math.max(order.lookAgainAt, timeline.now + 1));
  }

  #sight(): Sight {
    const { timeline, simulated, recorder } = this.#parts;
    const { now } = timeline;
    recorder.note(now, simulated);
    const oldestWaitMs = simulated.jobs.oldestWaitMs(now);
    return {
      now,
      waiting: simulated.waiting,
      active: simulated.active,
      jobMs: recorder.jobMs,
      replicas: simulated.replicas,
      ...(oldestWaitMs === undefined ? {} : { oldestWaitMs }),
    };
  }

  #carryOut({ replicas, cordon = [], uncordon = [], mark = [], unmark = [] }: Order): void {
    const { simulated } = this.#parts;
    const step = Math.sign(replicas - simulated.replicas.length);
    if (step !== 0 && step === -this.#lastStep) this.directionChanges += 1;
    if (step !== 0) this.#lastStep = step;
    for (const replica of uncordon) simulated.uncordon(replica);
    for (const replica of cordon) simulated.cordon(replica);
    for (const replica of unmark) replica.marked = false;
    for (const replica of mark) replica.marked = true;
    simulated.scaleTo(replicas);
  }
}
