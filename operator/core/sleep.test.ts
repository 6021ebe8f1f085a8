import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PoolStatus } from '../api/pool.ts';
import { decide } from './decide.ts';
import type { Decision } from './decision.ts';
import { known, type Known, type Millis, unknown } from './known.ts';
import type { ScaleMemory } from './scale-memory.ts';
import { afterApplying, NOON, queueOf, replicaOf, samplePool, stateOf, toldBy } from './state.fixture.ts';
import type { PoolState, QueueSnapshot } from './state.ts';
import { writeStatusIn } from './status.ts';
import { isoTime, preciseTime } from './time.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Some time of the last or the next minutes, and now and then of this very moment. */
const around = (most: Millis) => fc.integer({ min: -most, max: most }).map((by) => NOON + by);
/** One of the others now and then: all that can keep a pool awake together would leave few that sleep. */
const mostly = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 14 }, { arbitrary: fc.constantFrom(...others), weight: 1 });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 });

const schedules = fc.array(
  fc.record({
    cron: fc.constantFrom('*/10 * * * *', '0 12 * * *', '5 12 * * *', '0 8 * * MON-FRI'),
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin'),
    durationMs: fc.constantFrom(MINUTE, 5 * MINUTE, HOUR),
    minReplicas: fc.integer({ min: 0, max: 4 }),
  }),
  { maxLength: 2 },
);

const queues: fc.Arbitrary<QueueSnapshot> = fc
  .record({
    ready: mostly(0, 3),
    active: mostly(0, 2),
    delayed: fc.nat({ max: 2 }),
    failed: fc.nat({ max: 2 }),
    paused: fc.boolean(),
    exists: mostly(true, false),
    limitedForMs: maybe(fc.integer({ min: 1, max: MINUTE })),
    nextDelayedAt: maybe(fc.integer({ min: 1, max: 20 * MINUTE }).map((by) => NOON + by)),
  })
  .map(({ limitedForMs, nextDelayedAt, ...queue }) =>
    queueOf({
      ...queue,
      ...(limitedForMs === undefined ? {} : { limitedForMs }),
      ...(nextDelayedAt === undefined ? {} : { nextDelayedAt, delayed: queue.delayed + 1 }),
    }),
  );

const statuses: fc.Arbitrary<PoolStatus> = fc
  .record({
    seen: fc.boolean(),
    used: fc.constantFrom(0, 1, 3),
    lastFailureAt: around(15 * MINUTE),
    lastRetryAt: around(15 * MINUTE),
    busyHour: fc.constantFrom(-24, -23, -1),
    meanAt: fc.constantFrom(NOON - HOUR, NOON - 7 * DAY + 5 * MINUTE, NOON - 8 * DAY),
  })
  .map(({ seen, used, lastFailureAt, lastRetryAt, busyHour, meanAt }) => ({
    queue: { seen, meanDuration: '4s', meanDurationAt: isoTime(meanAt) },
    restarts: {
      templateHash: 'hash',
      used,
      left: 3 - used,
      everReady: true,
      ...(used === 0
        ? {}
        : { lastFailureAt: preciseTime(lastFailureAt), lastRetryAt: preciseTime(Math.min(NOON, lastRetryAt)) }),
    },
    counterfactual: {
      note: '',
      since: isoTime(NOON + busyHour * HOUR),
      replicaHours: { pool: '1', hpa: '1', keda: '1' },
      hourlyReplicaSeconds: { pool: [3600], hpa: [3600], keda: [3600] },
    },
  }));

type Drawn = Readonly<{
  memory: Partial<ScaleMemory>;
  proven: boolean;
  budgetAt: Millis;
  corrections: Millis[];
}>;
const memories: fc.Arbitrary<Drawn> = fc.record({
  memory: fc.record({
    watchingSince: fc.constantFrom(NOON - HOUR, NOON - MINUTE),
    wanted: fc.constantFrom([], [{ at: NOON - 30_000, wanted: 3 }]),
  }),
  proven: fc.boolean(),
  budgetAt: around(9 * MINUTE).map((at) => Math.min(at, NOON)),
  corrections: mostly([], [9, 5, 1], [11, 8, 2], [3, 2, 1]).map((minutes) => minutes.map((ago) => NOON - ago * MINUTE)),
});

const pools = fc.record({
  scaling: fc.record({
    minReplicas: mostly(0, 1),
    schedules,
    scaleDownWindowMs: fc.constantFrom(MINUTE, 2 * MINUTE),
  }),
  mode: fc.constantFrom('Auto' as const, 'Auto' as const, 'Recommend' as const, 'Paused' as const),
  retryAt: fc.option(around(9 * MINUTE), { nil: undefined, freq: 2 }),
  replicas: mostly(0, 2),
});

/** A pool as an operator may find it: mostly at zero, with some history. */
const states: fc.Arbitrary<PoolState> = fc
  .record({
    pools,
    queue: queues,
    blind: mostly(false, true),
    status: statuses,
    memories,
    isOut: mostly(false, true),
    token: mostly('present' as const, 'missing' as const),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
    scaled: fc.constantFrom(false, false, true),
  })
  .map(({ pools: drawn, queue, blind, status, memories: past, isOut, token, random, scaled }) => {
    const { spec, ...rest } = samplePool(drawn.scaling);
    const annotations = drawn.retryAt === undefined ? {} : { 'agentpool.dev/retry-at': preciseTime(drawn.retryAt) };
    const pool = { ...rest, annotations, status, spec: { ...spec, mode: drawn.mode } };
    const state = stateOf({ pool, replicas: drawn.replicas });
    const memory = { ...state.memory, ...past.memory };
    const { proven } = past;
    return looked({
      ...state,
      random,
      queue: blind ? unknown('nothing answers') : known(queue, NOON),
      checks: isOut
        ? { ...state.checks, redis: known({ ok: false, kind: 'Outage', because: 'refused' }, NOON) }
        : state.checks,
      autoscalers: scaled ? [{ kind: 'ScaledObject', name: 'other' }] : [],
      drain: { asked: true, answers: {}, activeJobs: unknown('not asked'), token },
      memory: {
        ...memory,
        health: { ...memory.health, restarts: { ...memory.health.restarts, ...past.memory, proven } },
        drain: { ...memory.drain, budgetAt: past.budgetAt },
        corrections: past.corrections.map((at) => ({ at, manager: 'kubectl' })),
      },
    });
  });

/** As observe has it: who is at rest is not asked. */
const looked = (state: PoolState): PoolState =>
  state.drain === undefined ? state : { ...state, drain: { ...state.drain, asked: !state.memory.drain.atRest } };

/** The same world `ms` later: whatever is read again says the same. */
function later(state: PoolState, decision: Decision, ms: Millis): PoolState {
  const now = state.now + ms;
  const next = afterApplying(state, decision, ms);
  const readAgain = <T>(reading: Known<T>): Known<T> => (reading.ok ? known(reading.value, now) : reading);
  return looked({
    ...next,
    random: (state.random * 7.3) % 1,
    queue: next.queue.ok ? known(movedOn(next.queue.value, { now, ms }), now) : next.queue,
    checks: { redis: readAgain(next.checks.redis), supabase: readAgain(next.checks.supabase) },
    memory: decision.makesBudget
      ? { ...next.memory, drain: { ...next.memory.drain, budgetAt: state.now } }
      : next.memory,
    drain: next.drain === undefined ? undefined : { ...next.drain, token: 'present' },
  } as PoolState);
}

/** What time alone does to a queue. */
function movedOn(before: QueueSnapshot, { now, ms }: Readonly<{ now: Millis; ms: Millis }>): QueueSnapshot {
  const { limitedForMs = 0, nextDelayedAt, ...queue } = before;
  const isDue = nextDelayedAt !== undefined && nextDelayedAt <= now;
  return {
    ...queue,
    ...(isDue ? { ready: queue.ready + 1, delayed: queue.delayed - 1 } : {}),
    ...(isDue || nextDelayedAt === undefined ? {} : { nextDelayedAt }),
    ...(limitedForMs <= ms ? {} : { limitedForMs: limitedForMs - ms }),
  };
}

/** What is left of a status without its times, and the sums that grow all the time. */
function withoutTimes({ counterfactual: _sums, ...status }: PoolStatus): unknown {
  return JSON.parse(JSON.stringify(status), (key, value) =>
    key === 'observedAt' || key === 'at' || key === 'lastTransitionTime' ? undefined : value,
  );
}

/** What every rule has now, and its replica-seconds of all hours. */
function secondsOf({ memory: { account } }: Decision): unknown {
  const hours = account?.hourly.hours ?? [];
  const sums = (['pool', 'hpa', 'keda'] as const).map((rule) => hours.reduce((sum, hour) => sum + hour[rule], 0));
  return [account?.replicas, ...sums.map((sum) => Math.round(sum * 1000))];
}

const doneBy = ({ actions, drainSteps, drainOutcomes, deletion, interruptions, ...rest }: Decision) => ({
  actions,
  drainSteps,
  drainOutcomes,
  deletion,
  told: toldBy({ interruptions, ...rest }),
  interruptions,
  makesToken: rest.makesToken,
  makesBudget: rest.makesBudget,
});

const NOTHING = {
  actions: [],
  drainSteps: [],
  drainOutcomes: [],
  deletion: undefined,
  told: [],
  interruptions: [],
  makesToken: false,
  makesBudget: false,
};

/** A pool that sleeps, some passes after it was found. */
const sleepers = fc
  .tuple(states, fc.integer({ min: 1, max: 4 }), fc.constantFrom(0, 1000, 20_000))
  .map(([found, passes, everyMs]) => {
    let state = found;
    for (let pass = 0; pass < passes; pass += 1) state = later(state, decide(state), everyMs);
    return { state, decision: decide(state) };
  });

/** A moment before the end of the sleep; the last one more often than others. */
const share = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0.999_999, 1));
const within = (ms: Millis, part: number): Millis => Math.max(0, Math.min(Math.floor(ms * part), Math.ceil(ms) - 1));

describe('a pool that sleeps', () => {
  it('would have decided nothing in a pass that was left out', () => {
    fc.assert(
      fc.property(sleepers, share, ({ state, decision }, part) => {
        fc.pre(decision.sleepsForMs !== undefined);
        const passed = within(decision.sleepsForMs ?? 0, part);
        const pass = decide(later(state, decision, passed));
        expect(doneBy(pass)).toEqual(NOTHING);
        expect(withoutTimes(pass.status)).toEqual(withoutTimes(decision.status));
        expect(writeStatusIn(decision.status, pass.status, { now: state.now + passed })).toBeUndefined();
        expect(pass.wake).toBe(decision.wake);
      }),
      { numRuns: 500 },
    );
  });

  it('decides the same when it is woken, whether or not there was a pass meanwhile', () => {
    fc.assert(
      fc.property(sleepers, share, share, queues, ({ state, decision }, part, then, queue) => {
        fc.pre(decision.sleepsForMs !== undefined);
        const wokenAfter = within(decision.sleepsForMs ?? 0, part);
        const between = within(wokenAfter, then);
        const meanwhile = later(state, decision, between);
        const looked = decide(meanwhile);
        const woken = (before: PoolState, by: Decision, ms: Millis): Decision =>
          decide({ ...later(before, by, ms), random: 0.5, queue: known(queue, state.now + wokenAfter) });
        const [without, with_] = [woken(state, decision, wokenAfter), woken(meanwhile, looked, wokenAfter - between)];
        expect(doneBy(without)).toEqual(doneBy(with_));
        expect(withoutTimes(without.status)).toEqual(withoutTimes(with_.status));
        expect(secondsOf(without)).toEqual(secondsOf(with_));
        expect(without.sleepsForMs === undefined).toBe(with_.sleepsForMs === undefined);
      }),
      { numRuns: 300 },
    );
  });

  it('is one that has nobody to ask, and nothing under way', () => {
    const asleep = (over: Partial<PoolState> = {}, at: PoolState = looked(stateOf())): boolean =>
      decide({ ...at, ...over }).sleepsForMs !== undefined;
    expect(asleep()).toBe(true);
    for (const state of [
      stateOf({ queue: { ready: 1, paused: true } }),
      stateOf({ queue: { active: 1 } }),
      stateOf({ replicas: 1 }),
      stateOf({ pool: samplePool({ minReplicas: 1 }) }),
    ])
      expect(asleep({}, state)).toBe(false);
    expect(asleep({ queue: unknown('timed out') })).toBe(false);
    expect(asleep({ replicas: unknown('not listed yet') })).toBe(false);
    expect(asleep({ replicas: known([replicaOf('a', { terminating: true })], NOON) })).toBe(false);
    expect(asleep({ checks: { redis: unknown('not yet'), supabase: unknown('') } })).toBe(false);
  });

  it('has other rules counted over the longest sleep as if it had been looked at meanwhile', () => {
    const state = { ...looked(stateOf()), random: 1 };
    const decision = decide(state);
    const almostHalf = 15 * MINUTE - 1;
    const meanwhile = later(state, decision, almostHalf);
    const [once, twice] = [later(state, decision, 2 * almostHalf), later(meanwhile, decide(meanwhile), almostHalf)];
    expect(decision.sleepsForMs).toBeGreaterThan(2 * almostHalf);
    expect(secondsOf(decide(once))).toEqual(secondsOf(decide(twice)));
  });

  it('is decided on anew every half an hour at the latest, not all pools at once', () => {
    const sleepsFor = (random: number) => decide({ ...stateOf(), random }).sleepsForMs;
    expect([0, 0.5, 1].map(sleepsFor)).toEqual([22.5 * MINUTE, 26.25 * MINUTE, 30 * MINUTE]);
  });
});
