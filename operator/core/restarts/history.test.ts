import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { known, type Millis } from '../known.ts';
import { planRestarts, type RestartPlan } from './plan.ts';
import { crashing, podOf, SPEC, START, workOf } from './restarts.fixture.ts';
import { firstRestartMemory, type RestartMemory, type RestartReplica, type RestartView, type Ledger } from './view.ts';

/** What can happen to one pool. `crash`: the operator dies in a pass, after so many of its writes. */
type Happening =
  | Readonly<{ kind: 'pass' | 'old leader writes' | 'heals' | 'evicted' | 'new template' | 'outage' | 'silence' }>
  | Readonly<{ kind: 'crash'; afterWrites: number }>
  | Readonly<{ kind: 'time'; seconds: number }>
  | Readonly<{ kind: 'fails'; pod: number; how: 'crash' | 'fault' }>;

type Pod = Readonly<{ name: string; template: string; createdAt: Millis; sick?: 'crash' | 'fault' }>;

/** The cluster: what is written there stays, whoever dies. Writes are refused when they were decided on an older version. */
class World {
  now = START;
  version = 1;
  ledger: Ledger | undefined;
  template = 'a';
  pods: readonly Pod[] = [];
  outage = false;
  silent = false;
  deletions: { template: string; at: Millis }[] = [];
  #made = 0;

  constructor(replicas: number) {
    for (let i = 0; i < replicas; i += 1) this.pods = [...this.pods, this.#newPod()];
  }

  #newPod(): Pod {
    this.#made += 1;
    return { name: `p${this.#made}`, template: this.template, createdAt: this.now };
  }

  /** The ReplicaSet makes another. */
  replace(name: string, pod: Pod = this.#newPod()): void {
    this.pods = this.pods.map((each) => (each.name === name ? pod : each));
  }

  writeLedger(ledger: Ledger | undefined, version: number): boolean {
    if (version !== this.version) return false;
    if (JSON.stringify(ledger) === JSON.stringify(this.ledger)) return true;
    // As the API server keeps it: text.
    this.ledger = ledger === undefined ? undefined : (JSON.parse(JSON.stringify(ledger)) as Ledger);
    this.version += 1;
    return true;
  }

  /** The precondition of a deletion is the UID: another pod of the same place is another one. */
  delete(uid: string): void {
    const pod = this.pods.find(({ name }) => `uid-${name}` === uid);
    if (pod === undefined) return;
    this.deletions.push({ template: pod.template, at: this.now });
    this.replace(pod.name);
  }

  look(): readonly RestartReplica[] {
    return this.pods.map(({ name, template, createdAt, sick }) => {
      const common = { templateHash: template, createdAt };
      if (sick === 'crash') return crashing(name, common);
      return podOf(name, {
        ...common,
        ...(this.silent ? { work: { ok: false as const, because: 'late' } } : { work: known(workOf(), this.now) }),
      });
    });
  }
}

const MAX_RETRIES = 3;

/** One leader after the other over one world; a deposed one may still have writes on their way. */
class History {
  readonly world: World;
  memory: RestartMemory;
  late: Readonly<{ plan: RestartPlan; version: number }> | undefined;
  random = 0.3;

  constructor(replicas: number) {
    this.world = new World(replicas);
    this.memory = firstRestartMemory(START);
  }

  view(): RestartView {
    const { world, memory, random } = this;
    const faults = world.silent || world.outage ? [] : world.pods.filter(({ sick }) => sick === 'fault');
    return {
      now: world.now,
      random,
      spec: { ...SPEC, maxRetries: MAX_RETRIES, resetAfterMs: 10 * 3_600_000 },
      templateHash: world.template,
      replicas: known(world.look(), world.now),
      localFaults: faults.map(({ name, createdAt }) => ({
        uid: `uid-${name}`,
        name,
        dependency: 'redis',
        since: createdAt,
        because: 'times out',
      })),
      ...(world.outage ? { noRestarts: 'Redis is out' } : {}),
      jobsMayStart: true,
      memory,
      ...(world.ledger === undefined ? {} : { ledger: world.ledger }),
    };
  }

  /** One pass, cut off after so many writes. */
  pass(writes = Number.POSITIVE_INFINITY): RestartPlan {
    const plan = planRestarts(this.view());
    const { version } = this.world;
    let left = writes;
    this.late = { plan, version };
    if (plan.delete !== undefined && left > 0) {
      this.world.delete(plan.delete.uid);
      left -= 1;
    }
    if (left > 0) this.world.writeLedger(plan.ledger, version);
    this.memory = plan.memory;
    return plan;
  }

  happen(happening: Happening): void {
    const { world } = this;
    const [first] = world.pods;
    switch (happening.kind) {
      case 'pass':
        this.pass();
        break;
      case 'crash':
        this.pass(happening.afterWrites);
        this.memory = firstRestartMemory(world.now);
        break;
      case 'old leader writes':
        if (this.late?.plan.delete !== undefined) world.delete(this.late.plan.delete.uid);
        if (this.late !== undefined) world.writeLedger(this.late.plan.ledger, this.late.version);
        break;
      case 'time':
        world.now += happening.seconds * 1000;
        break;
      case 'fails': {
        const pod = world.pods[happening.pod % world.pods.length];
        if (pod !== undefined) world.replace(pod.name, { ...pod, sick: happening.how });
        break;
      }
      case 'heals':
        world.pods = world.pods.map(({ sick: _well, ...pod }) => pod);
        break;
      case 'evicted':
        if (first !== undefined) world.replace(first.name);
        break;
      case 'new template':
        world.template = `${world.template}'`;
        for (const { name } of world.pods) world.replace(name);
        break;
      case 'outage':
        world.outage = !world.outage;
        break;
      case 'silence':
        world.silent = !world.silent;
        break;
    }
  }
}

const happenings: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Happening>({ kind: 'pass' }) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 200 }).map<Happening>((seconds) => ({ kind: 'time', seconds })) },
  { weight: 4, arbitrary: fc.nat({ max: 2 }).map<Happening>((afterWrites) => ({ kind: 'crash', afterWrites })) },
  {
    weight: 4,
    arbitrary: fc
      .record({ pod: fc.nat({ max: 5 }), how: fc.constantFrom('crash' as const, 'fault' as const) })
      .map<Happening>((failure) => ({ kind: 'fails', ...failure })),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Happening>(
      { kind: 'old leader writes' },
      { kind: 'heals' },
      { kind: 'evicted' },
      { kind: 'new template' },
      { kind: 'outage' },
      { kind: 'silence' },
    ),
  },
);

const histories = fc.record({
  replicas: fc.integer({ min: 1, max: 5 }),
  each: fc.array(happenings, { minLength: 20, maxLength: 160 }),
});

describe('over any history of failures, crashes of the operator and late writes of deposed ones', () => {
  it('no more replicas of a template are deleted than its budget has retries', () => {
    fc.assert(
      fc.property(histories, ({ replicas, each }) => {
        const history = new History(replicas);
        for (const happening of each) {
          history.happen(happening);
          const ofTemplate = new Map<string, number>();
          for (const { template } of history.world.deletions)
            ofTemplate.set(template, (ofTemplate.get(template) ?? 0) + 1);
          for (const deletions of ofTemplate.values()) expect(deletions).toBeLessThanOrEqual(MAX_RETRIES);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('nothing is deleted while a breaker is open, and nothing that is silent and runs', () => {
    fc.assert(
      fc.property(histories, ({ replicas, each }) => {
        const history = new History(replicas);
        for (const happening of each) {
          const { outage, silent } = history.world;
          const running = new Set(
            history.world.pods.flatMap(({ name, sick }) => (sick === 'crash' ? [] : [`uid-${name}`])),
          );
          const plan = planRestarts(history.view());
          if (outage) expect(plan.delete).toBeUndefined();
          if (silent && plan.delete !== undefined) expect(running.has(plan.delete.uid)).toBe(false);
          history.happen(happening);
        }
      }),
    );
  });

  it('the same look gives the same plan, and what is deleted always stood in the ledger before', () => {
    fc.assert(
      fc.property(histories, ({ replicas, each }) => {
        const history = new History(replicas);
        for (const happening of each) {
          const view = history.view();
          const plan = planRestarts(view);
          expect(planRestarts(structuredClone(view))).toEqual(plan);
          if (plan.delete !== undefined) expect(view.ledger?.pending?.uid).toBe(plan.delete.uid);
          history.happen(happening);
        }
      }),
    );
  });

  it('a replica that goes on failing is restarted, as often as the budget says and no retry is skipped', () => {
    fc.assert(
      fc.property(histories, ({ replicas, each }) => {
        const history = new History(replicas);
        for (const happening of each) history.happen(happening);
        const { world } = history;
        world.outage = false;
        world.silent = false;
        history.happen({ kind: 'new template' });
        const before = world.deletions.length;
        for (let second = 0; second < 1200; second += 5) {
          world.now += 5000;
          world.pods = world.pods.map((pod) => ({ ...pod, sick: 'crash' as const }));
          // The operator dies in every other pass: before its first write, between them, after the last.
          history.happen(second % 10 === 0 ? { kind: 'pass' } : { kind: 'crash', afterWrites: (second / 5) % 3 });
        }
        expect(world.deletions.length - before).toBe(MAX_RETRIES);
        expect(history.pass().budget).toMatchObject({ state: 'Exhausted', left: 0 });
      }),
      { numRuns: 30 },
    );
  });

  it('retries of a small pool lie at least a minute apart, whoever takes them', () => {
    fc.assert(
      fc.property(histories, ({ replicas, each }) => {
        const history = new History(replicas);
        let last: Readonly<{ template: string; at: Millis }> | undefined;
        for (const happening of each) {
          history.happen(happening);
          const { ledger } = history.world;
          const at = ledger?.lastRetryAt;
          if (ledger === undefined || at === undefined || (last?.at === at && last.template === ledger.templateHash))
            continue;
          if (last?.template === ledger.templateHash) expect(at - last.at).toBeGreaterThanOrEqual(60_000);
          last = { template: ledger.templateHash, at };
        }
      }),
    );
  });
});
