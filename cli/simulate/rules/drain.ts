import { afterCordon } from '../../../operator/core/drain/memory.ts';
import { planDrain } from '../../../operator/core/drain/plan.ts';
import type { DrainPlan, DrainStep } from '../../../operator/core/drain/steps.ts';
import {
  type ActiveJobs,
  type DrainMemory,
  type DrainReplica,
  type DrainView,
  FIRST_DRAIN_MEMORY,
  type Mark,
} from '../../../operator/core/drain/view.ts';
import { known } from '../../../operator/core/known.ts';
import type { SimulatedReplica } from '../simulated-replica.ts';
import type { Order, Sight } from './rule.ts';

/** Readiness is probed every 2 s, and a replica is not ready after the second failure: between 2 and 4 s. */
const SHOWN_NOT_READY_AFTER_MS = 3000;
const DRAIN_TIMEOUT_MS = 900_000;

/** What a drain orders; `replicas` only when the number is lowered. */
type DrainOrder = Omit<Order, 'replicas' | 'lookAgainAt'> & Readonly<{ replicas?: number }>;

/**
 * The operator's own drain on simulated replicas. Every witness answers, and at each look the controllers have counted
 * what was done at the one before. A replica that starts counts as one that does not run yet, which holds a drain up.
 */
export class SimulatedDrain {
  #memory: DrainMemory = FIRST_DRAIN_MEMORY;
  readonly #marks = new Map<string, Mark>();
  readonly #idleSince = new Map<string, number>();

  look(sight: Sight, wanted: number): DrainOrder {
    this.#watch(sight);
    const plan = planDrain(this.#view(sight, wanted));
    this.#memory = plan.memory;
    for (const step of plan.steps) this.#remember(step, sight);
    return {
      cordon: picked(sight, plan, 'cordon').filter(({ cordoned }) => !cordoned),
      uncordon: picked(sight, plan, 'uncordon'),
      mark: picked(sight, plan, 'mark'),
      unmark: [...picked(sight, plan, 'unmark'), ...picked(sight, plan, 'uncordon')],
      ...(plan.lower === undefined ? {} : { replicas: plan.lower.replicas }),
    };
  }

  #remember(step: DrainStep, { now, replicas }: Sight): void {
    if (step.kind === 'mark') this.#marks.set(step.uid, step.mark);
    else if (step.kind === 'unmark' || step.kind === 'uncordon') this.#marks.delete(step.uid);
    else {
      const processStart = String(replicas.find(({ name }) => name === step.uid)?.createdAt);
      const outcome = { kind: 'cordoned', processStart, sentAt: now, answeredAt: now } as const;
      this.#memory = afterCordon(this.#memory, { uid: step.uid, template: 'simulated' }, outcome);
    }
  }

  /** When each replica was first seen cordoned and idle; what is gone is forgotten. */
  #watch({ now, replicas }: Sight): void {
    const resting = new Set(
      replicas.filter(({ cordoned, jobs }) => cordoned && jobs.size === 0).map(({ name }) => name),
    );
    for (const name of resting) if (!this.#idleSince.has(name)) this.#idleSince.set(name, now);
    for (const name of this.#idleSince.keys()) if (!resting.has(name)) this.#idleSince.delete(name);
    const there = new Set(replicas.map(({ name }) => name));
    for (const name of this.#marks.keys()) if (!there.has(name)) this.#marks.delete(name);
  }

  #view({ now, replicas }: Sight, wanted: number): DrainView {
    const { length } = replicas;
    const generation = { generation: 1, observedGeneration: 1 };
    const status = { replicas: length, unmarked: length - this.#marks.size };
    return {
      now,
      epoch: 'simulated',
      wanted,
      deployment: { resourceVersion: '1', replicas: length, ...generation, fenced: true, behind: false },
      replicaSets: [{ name: 'simulated', ...generation, replicas: length, status }],
      refused: false,
      asked: true,
      replicas: replicas.map((replica) => this.#replica(replica, now)),
      failed: new Set(),
      activeJobs: known(activeJobsOf(replicas), now),
      memory: this.#memory,
      timeoutMs: DRAIN_TIMEOUT_MS,
      onTimeout: 'Wait',
    };
  }

  #replica(replica: SimulatedReplica, now: number): DrainReplica {
    const { name, createdAt, isStarting, cordoned, jobs } = replica;
    const mark = this.#marks.get(name);
    const idleFor = now - (this.#idleSince.get(name) ?? now);
    const processStart = String(createdAt);
    const answer = { name, processStart, active: jobs.size, cordoned, lastFinished: null };
    return {
      name,
      uid: name,
      createdAt,
      running: !isStarting,
      ready: !isStarting && idleFor < SHOWN_NOT_READY_AFTER_MS,
      restarts: 0,
      ...(mark === undefined ? {} : { mark }),
      answer: isStarting ? { ok: false, because: 'it starts' } : known(answer, now),
    };
  }
}

const picked = ({ replicas }: Sight, { steps }: DrainPlan, kind: DrainStep['kind']): SimulatedReplica[] =>
  replicas.filter(({ name }) => steps.some((step) => step.kind === kind && step.uid === name));

function activeJobsOf(replicas: readonly SimulatedReplica[]): ActiveJobs {
  const busy = replicas.filter(({ jobs }) => jobs.size > 0);
  return {
    total: busy.reduce((sum, { jobs }) => sum + jobs.size, 0),
    unnamed: 0,
    byName: Object.fromEntries(
      busy.map(({ name, jobs }) => [name, { jobs: jobs.size, oldestStartedAt: Math.min(...jobs.values()) }]),
    ),
  };
}
