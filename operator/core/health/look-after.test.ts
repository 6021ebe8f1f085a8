import { describe, expect, it } from 'vitest';
import type { Check } from '../dependencies/check.ts';
import { decide } from '../decide.ts';
import type { Decision } from '../decision.ts';
import { known, unknown } from '../known.ts';
import type { WorkerContainer } from '../restarts/view.ts';
import { healthOf, NOON, replicaOf, samplePool, stateOf, toldBy } from '../state.fixture.ts';
import type { PoolState, ReplicaView } from '../state.ts';

const OUT: Check = known({ ok: false, kind: 'Outage', because: 'does not answer' } as const, NOON);
const CRASHING: WorkerContainer = {
  state: 'Waiting',
  waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container' },
  restarts: 3,
  lastExit: { at: NOON - 5000, code: 1 },
};

const crashed = (name: string): ReplicaView =>
  replicaOf(name, {
    ready: false,
    worker: CRASHING,
    cannotStart: 'CrashLoopBackOff',
    health: unknown('it is not running'),
  });
const cutOff = (name: string): ReplicaView =>
  replicaOf(name, { health: known(healthOf({ held: 'Redis is out' }, { redis: OUT }), NOON) });

const poolOf = (replicas: readonly ReplicaView[], over: Partial<PoolState> = {}): PoolState => ({
  ...stateOf({ replicas: replicas.length, queue: { ready: 100 } }),
  replicas: known(replicas, NOON),
  ...over,
});

const next = (state: PoolState, decision: Decision, ms: number): PoolState => ({
  ...state,
  now: state.now + ms,
  pool: { ...state.pool, status: decision.status },
  memory: decision.memory,
});

const condition = ({ status }: Decision, type: string) => status.conditions?.find((each) => each.type === type);
const number = ({ actions }: Decision) => actions[0]?.manifest.spec.replicas;
/** The replicas of these tests stay as they are: what an apply would change is not carried out. */
const reasons = ({ events }: Decision) => [...events.noticed, ...events.withStatus].map(({ reason }) => reason);

describe('a pool whose dependency is out', () => {
  const outage = (replicas: readonly ReplicaView[], over: Partial<PoolState> = {}) =>
    poolOf(replicas, { checks: { redis: OUT, supabase: unknown('it is not checked') }, ...over });

  it('is frozen at the number that it has, up and down, and says so in condition, event and decision', () => {
    const decision = decide(outage([cutOff('a'), cutOff('b')]));
    expect(number(decision)).toBeUndefined();
    expect(decision).toMatchObject({ wanted: 2, because: { reason: 'HeldByDependency' } });
    expect(condition(decision, 'DependenciesHealthy')).toMatchObject({
      status: 'False',
      reason: 'DependencyUnavailable',
    });
    expect(condition(decision, 'Ready')).toMatchObject({ status: 'True' });
    expect(reasons(decision)).toContain('DependencyUnavailable');
    const empty = outage([cutOff('a'), cutOff('b')], { queue: stateOf({ queue: {} }).queue });
    expect(decide(empty)).toMatchObject({ wanted: 2, because: { reason: 'HeldByDependency' } });
  });

  it('says nothing a second time', () => {
    const state = outage([cutOff('a'), cutOff('b')]);
    expect(reasons(decide(next(state, decide(state), 1000)))).toEqual([]);
  });

  it('starts one replica where there is none and jobs wait, and no more', () => {
    const decision = decide(outage([]));
    expect(number(decision)).toBe(1);
    expect(decision.because.message).toContain('one starts to see whether it is over');
  });

  it('still gets a new template', () => {
    const state = outage([cutOff('a'), cutOff('b')]);
    const pool = samplePool({ concurrency: 7 });
    expect(number(decide({ ...state, pool: { ...pool, generation: 2 } }))).toBe(2);
  });

  it('restarts nobody, not even one that crashes', () => {
    let state = outage([crashed('a'), cutOff('b')]);
    for (let i = 0; i < 60; i += 1) {
      const decision = decide(state);
      expect(decision.deletion).toBeUndefined();
      expect(decision.status.restarts).toMatchObject({ used: 0 });
      state = next(state, decision, 10_000);
      const redis: Check = { ...OUT, at: state.now } as Check;
      state = {
        ...state,
        checks: { ...state.checks, redis },
        replicas: known(
          [crashed('a'), { ...cutOff('b'), health: known(healthOf({}, { redis }), state.now) }],
          state.now,
        ),
      };
    }
  });

  it('has an open breaker under a new leader too, until the checks close it', () => {
    const state = outage([cutOff('a'), cutOff('b')]);
    const { status } = decide(state);
    const well = poolOf([replicaOf('a'), replicaOf('b')], { pool: { ...state.pool, status } });
    const later = stateOf({ pool: { ...state.pool, status } });
    expect(decide({ ...well, memory: { ...well.memory, health: later.memory.health } })).toMatchObject({
      because: { reason: 'HeldByDependency' },
    });
  });
});

describe('a failed replica', () => {
  it('is deleted with UID and version once its retry stands in the status, and counted once', () => {
    let state = poolOf([crashed('a'), replicaOf('b')]);
    let decision = decide(state);
    expect(decision.status.restarts).toMatchObject({ templateHash: 'hash', used: 0, left: 3 });
    expect(decision.status.workers?.[0]).toMatchObject({ pod: 'a', phase: 'Failed', containerRestarts: 3 });
    state = next(state, decision, 10_000);
    decision = decide(state);
    expect(decision.deletion).toBeUndefined();
    expect(decision.status.restarts).toMatchObject({ used: 1, left: 2, pending: { pod: 'a', uid: 'uid-a' } });
    expect(decision.recheckAfterMs).toBe(20);
    state = next(state, decision, 20);
    decision = decide(state);
    expect(decision.deletion).toMatchObject({ name: 'a', uid: 'uid-a', resourceVersion: '5', reason: 'CrashLoop' });
    expect(decision.deletion?.event).toMatchObject({ type: 'Warning', reason: 'ReplicaRestarted' });
    expect(reasons(decision)).not.toContain('ReplicaRestarted');
    state = { ...next(state, decision, 1000), replicas: known([replicaOf('b')], NOON) };
    expect(decide(state).status.restarts).toMatchObject({ used: 1, left: 2 });
    expect(decide(state).status.restarts?.pending).toBeUndefined();
  });

  it('is said once while it crashes, with how it ended, and again when it has run in between', () => {
    let state = poolOf([crashed('a'), crashed('b'), replicaOf('c')]);
    const first = decide(state);
    expect(toldBy(first)).toContainEqual({
      type: 'Warning',
      reason: 'ReplicaCrashes',
      action: 'CheckHealth',
      note: '2 replicas crash (a): its worker ended 4 times, last with exit code 1',
    });
    state = next(state, first, 1000);
    expect(reasons(decide(state))).toEqual([]);
    const runs = replicaOf('a', { ready: false, worker: { state: 'Running', restarts: 4 } });
    const between = { ...state, replicas: known([runs, crashed('b'), replicaOf('c')], NOON) };
    const again = { ...next(between, decide(between), 1000), replicas: state.replicas };
    expect(reasons(decide(again))).toEqual(['ReplicaCrashes']);
  });

  it('is left alone in the modes that change nothing, and said', () => {
    for (const mode of ['Recommend', 'Paused'] as const) {
      const { spec, ...pool } = samplePool();
      let state = poolOf([crashed('a'), replicaOf('b')], { pool: { ...pool, spec: { ...spec, mode } } });
      for (let i = 0; i < 5; i += 1) state = next(state, decide(state), 60_000);
      const { deletion, status } = decide(state);
      expect(deletion).toBeUndefined();
      expect(status.restarts).toMatchObject({ used: 0 });
      expect(status.workers?.[0]).toMatchObject({ pod: 'a', phase: 'Failed' });
    }
  });

  it('is not restarted while the operator has not checked what it depends on', () => {
    let state = poolOf([crashed('a'), replicaOf('b')], {
      checks: { redis: unknown('it was not checked yet'), supabase: unknown('') },
    });
    for (let i = 0; i < 5; i += 1) state = next(state, decide(state), 60_000);
    expect(decide(state)).toMatchObject({ status: { restarts: { used: 0 } } });
  });

  it('never lowers the number because the budget is spent, and none is added to a template that never worked', () => {
    const status = { restarts: { templateHash: 'hash', used: 3, left: 0, everReady: false } };
    const state = poolOf([crashed('a')], { pool: { ...samplePool(), status } });
    const decision = decide(state);
    expect(number(decision)).toBeUndefined();
    expect(decision).toMatchObject({ wanted: 1, because: { reason: 'HeldByRestartBudget' } });
    expect(condition(decision, 'RestartBudgetAvailable')).toMatchObject({ status: 'False', reason: 'Exhausted' });
    expect(reasons(decision)).toContain('RestartBudgetExhausted');
  });
});

describe('more replicas than a status lists', () => {
  it('that all crash are told of once: those that it lists', () => {
    const many = Array.from({ length: 250 }, (_, i) => crashed(`pod-${String(i).padStart(3, '0')}`));
    const state = poolOf(many);
    const first = decide(state);
    expect(toldBy(first).map(({ note }) => note)).toContainEqual(
      expect.stringMatching(/^200 replicas crash \(pod-000\)/),
    );
    expect(reasons(decide(next(state, first, 1000)))).toEqual([]);
  });

  it('that cannot start are told of once, each that it lists where each has its own words', () => {
    const many = Array.from({ length: 250 }, (_, i) => {
      const worker = { state: 'Waiting', waiting: { reason: 'ErrImagePull' }, restarts: 0 } as const;
      return replicaOf(`pod-${i}`, { ready: false, worker, cannotStart: `ErrImagePull: no image for pod-${i}.` });
    });
    const state = poolOf(many);
    const first = decide(state);
    expect(reasons(first).filter((reason) => reason === 'ReplicaCannotStart')).toHaveLength(200);
    expect(reasons(decide(next(state, first, 1000)))).toEqual([]);
  });
});

it('a pool that something stands in the way of is told of its replicas all the same, once', () => {
  const rival = { namespace: 'agents', name: 'older', uid: 'a', createdAt: 0 };
  const state = poolOf([crashed('a'), replicaOf('b')], { rivals: [rival] });
  const first = decide(state);
  expect(reasons(first)).toEqual(['QueueTaken', 'ReplicaCrashes']);
  expect(reasons(decide(next(state, first, 1000)))).toEqual([]);
});

describe('a replica without a node', () => {
  const pending = (name: string) => {
    const { scheduledAt: _none, node: _nowhere, ...replica } = replicaOf(name);
    const worker = { state: 'Absent', restarts: 0 } as const;
    return { ...replica, ready: false, worker, unscheduledBecause: '0/1 nodes are available: 1 Insufficient cpu.' };
  };

  it("is said at once in the scheduler's words, once for all of them, and spends nothing", () => {
    const state = poolOf([pending('a'), pending('b'), replicaOf('c')]);
    const decision = decide(state);
    expect(toldBy(decision)).toContainEqual({
      type: 'Warning',
      reason: 'ReplicaCannotStart',
      action: 'CheckHealth',
      note: '2 replicas cannot start (a): 0/1 nodes are available: 1 Insufficient cpu.',
    });
    expect(decision.status.workers?.[0]).toMatchObject({ pod: 'a', phase: 'Pending' });
    expect(decision.status.restarts).toMatchObject({ used: 0 });
    expect(reasons(decide(next(state, decision, 1000)))).toEqual([]);
  });
});

describe('a sentence of kubelet or scheduler', () => {
  it.each([
    ['long', `Failed to pull image: ${'not found, '.repeat(60)}`],
    ['of two lines', 'node(s) had no room\npreemption: none'],
  ])('that is %s is said once too', (_, words) => {
    const state = poolOf([replicaOf('a', { ready: false, cannotStart: words }), replicaOf('b')]);
    const decision = decide(state);
    expect(reasons(decision)).toContain('ReplicaCannotStart');
    expect(reasons(decide(next(state, decision, 1000)))).toEqual([]);
  });

  it('is not said again of a replica that is about to be restarted for it', () => {
    const words = `CreateContainerError: ${'no space left, '.repeat(30)}`;
    const worker: WorkerContainer = {
      state: 'Waiting',
      waiting: { reason: 'CreateContainerError', message: words },
      restarts: 0,
    };
    const stuck = replicaOf('a', { ready: false, cannotStart: words, worker, scheduledAt: NOON - 400_000 });
    const elsewhere = replicaOf('b', { node: 'node2', worker: { state: 'Running', restarts: 0, startedAt: NOON } });
    const state = poolOf([stuck, elsewhere]);
    const decision = decide(state);
    expect(decision.status.workers?.[0]?.because).toContain('while another node could');
    expect(reasons(decide(next(state, decision, 1000)))).toEqual([]);
  });
});

describe('the list of workers', () => {
  it('is bounded, the sick ones first, and the same for the same pool', () => {
    const replicas = [...Array.from({ length: 250 }, (_, i) => replicaOf(`p${i}`)), cutOff('z1'), crashed('z0')];
    const { workers = [] } = decide(poolOf(replicas)).status;
    expect(workers).toHaveLength(200);
    expect(workers.slice(0, 2).map(({ pod, redis }) => [pod, redis])).toEqual([
      ['z0', 'Unknown'],
      ['z1', 'Unhealthy'],
    ]);
    expect(decide(poolOf(replicas.toReversed())).status.workers).toEqual(workers);
  });
});
