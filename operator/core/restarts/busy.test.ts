import fc from 'fast-check';
import { expect, it } from 'vitest';
import { known, type Millis } from '../known.ts';
import { planRestarts } from './plan.ts';
import { podOf, SPEC, START, workOf } from './restarts.fixture.ts';
import { firstRestartMemory, type RestartMemory, type RestartView, type Ledger } from './view.ts';

/** `asks`: the pass asks the replica itself, and does not go by what it said last. */
type Happening =
  | Readonly<{ kind: 'pass'; asks: boolean; takesJobMeanwhile: boolean }>
  | Readonly<{ kind: (typeof EVENTS)[number] }>;

const EVENTS = ['takes a job', 'ends a job', 'says something', 'new leader', 'cordon runs out'] as const;

/** One replica that holds itself, since it alone cannot reach Supabase, and lets itself go again as it likes. */
class Replica {
  active = 0;
  cordoned = false;

  takeJob(): void {
    if (!this.cordoned) this.active += 1;
  }

  endJob(): void {
    this.active = Math.max(0, this.active - 1);
  }

  say(now: Millis) {
    return known(workOf({ active: this.active, cordoned: this.cordoned, held: 'Supabase answers 503' }), now);
  }
}

class World {
  readonly replica = new Replica();
  now = START;
  said = this.replica.say(START);
  ledger: Ledger | undefined;
  memory: RestartMemory = firstRestartMemory(START - 3_600_000);
  /** Jobs that the replica ran when it was deleted. */
  interrupted: number | undefined;

  view(): RestartView {
    const fault = { uid: 'uid-x', name: 'x', dependency: 'supabase', since: START, because: 'answers 503' } as const;
    return {
      now: this.now,
      random: 0,
      spec: SPEC,
      templateHash: 'a',
      replicas: known([podOf('x', { work: this.said })], this.now),
      localFaults: [fault],
      jobsMayStart: true,
      memory: this.memory,
      ...(this.ledger === undefined ? {} : { ledger: this.ledger }),
    };
  }

  pass({ asks, takesJobMeanwhile }: Readonly<{ asks: boolean; takesJobMeanwhile: boolean }>): void {
    if (asks) this.said = this.replica.say(this.now);
    const plan = planRestarts(this.view());
    if (takesJobMeanwhile) this.replica.takeJob();
    if (plan.delete !== undefined) this.interrupted = this.replica.active;
    this.replica.cordoned = plan.cordon.includes('uid-x');
    this.ledger = plan.ledger;
    this.memory = plan.memory;
  }

  /** Things happen three seconds apart: what was said then is old. */
  happen(what: Happening): void {
    if (what.kind !== 'pass') this.now += 3000;
    switch (what.kind) {
      case 'pass':
        return this.pass(what);
      case 'takes a job':
        return this.replica.takeJob();
      case 'ends a job':
        return this.replica.endJob();
      case 'says something':
        this.said = this.replica.say(this.now);
        return undefined;
      case 'cordon runs out':
        this.now += 60_000;
        this.replica.cordoned = false;
        return undefined;
      case 'new leader':
        this.now += 20_000;
        this.memory = firstRestartMemory(this.now - 3_600_000);
        return undefined;
    }
  }
}

const happenings = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('pass' as const),
        asks: fc.boolean(),
        takesJobMeanwhile: fc.boolean(),
      }),
    },
    fc.record({
      kind: fc.constantFrom(...EVENTS),
    }),
  ),
  { minLength: 10, maxLength: 60 },
);

/** From here on its drain may be over, and what it runs is handed back. */
const DRAIN_OVER_MS = SPEC.drainTimeoutMs;

it('no replica that runs a job is restarted before its drain is over, however old what it said is and when it takes one', () => {
  let deletions = 0;
  fc.assert(
    fc.property(happenings, (all) => {
      const world = new World();
      for (const each of all) {
        world.happen(each);
        if (world.interrupted === undefined) continue;
        deletions += 1;
        if (world.now - START < DRAIN_OVER_MS) expect(world.interrupted).toBe(0);
        return;
      }
    }),
    { numRuns: 3000 },
  );
  expect(deletions).toBeGreaterThan(100);
});
