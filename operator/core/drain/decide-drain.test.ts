import { describe, expect, it } from 'vitest';
import { decide } from '../decide.ts';
import { known, unknown } from '../known.ts';
import { healthOf, NOON, queueOf, replicaOf, samplePool, stateOf, toldBy } from '../state.fixture.ts';
import type { DrainFacts, PoolState, ReplicaView } from '../state.ts';
import { afterCordon } from './memory.ts';
import { afterFailure } from './step-outcome.ts';
import type { ActiveJobs, ReplicaAnswer } from './view.ts';

const nobody: ActiveJobs = { total: 0, unnamed: 0, byName: {} };
const answerOf = (name: string, over: Partial<ReplicaAnswer> = {}): ReplicaAnswer => ({
  name,
  processStart: 'first',
  active: 0,
  cordoned: true,
  lastFinished: { job: '17', at: '2026-01-05T11:59:30Z' },
  ...over,
});

/** As the ReplicaSet counts them. */
const setsOf = (views: readonly ReplicaView[], marked = views.filter(({ mark }) => mark !== undefined).length) => {
  const { length } = views;
  const set = {
    name: 'set',
    ownerUid: 'deployment-uid',
    templateHash: 'hash',
    labels: {},
    revision: 1,
    replicas: length,
  };
  const status = { replicas: length, unmarked: length - marked };
  return known([{ ...set, generation: 1, observedGeneration: 1, status }], NOON);
};

const factsOf = (replicas: readonly ReplicaView[], over: Partial<DrainFacts> = {}): DrainFacts => {
  return {
    asked: true,
    answers: Object.fromEntries(replicas.map(({ name, uid }) => [uid, known(answerOf(name), NOON)])),
    activeJobs: known(nobody, NOON),
    token: 'present',
    ...over,
  };
};

/** Two replicas of a pool that wants none. */
const replicas = [replicaOf('pod-0'), replicaOf('pod-1')];
const twoIdle = (over: { drain?: DrainFacts } = {}): PoolState =>
  stateOf({
    pool: samplePool({ scaleDownWindowMs: 1000, targetWaitMs: 1000 }),
    replicas: 2,
    drain: factsOf(replicas),
    replicaSets: setsOf(replicas),
    ...over,
  });

const cordoned = (state: PoolState): PoolState => {
  const outcome = { kind: 'cordoned', processStart: 'first', sentAt: NOON - 5000, answeredAt: NOON - 5000 } as const;
  const drain = replicas.reduce((memory, { uid }) => {
    const told = afterCordon(memory, { uid, template: 'hash' }, outcome);
    const cordon = told.cordons[uid];
    const idle = { since: NOON - 5000, shownReady: true };
    return cordon === undefined ? told : { ...told, cordons: { ...told.cordons, [uid]: { ...cordon, idle } } };
  }, state.memory.drain);
  return { ...state, memory: { ...state.memory, drain } };
};

const notReady = (views: readonly ReplicaView[]): ReplicaView[] => views.map((view) => ({ ...view, ready: false }));
const withReplicas = (state: PoolState, views: readonly ReplicaView[]): PoolState => ({
  ...state,
  replicas: known(views, NOON),
  replicaSets: setsOf(views),
  drain: factsOf(views),
});

/** What the last pass but one has marked. */
const marked = (state: PoolState): PoolState => {
  const { drainSteps } = decide(state);
  const views = state.replicas.ok ? state.replicas.value : [];
  const withMarks = views.map((view) => {
    const step = drainSteps.find(({ uid, kind }) => uid === view.uid && kind === 'mark');
    return step?.kind === 'mark' ? { ...view, mark: step.mark } : view;
  });
  return withReplicas(state, withMarks);
};

describe('a pool that wants fewer replicas', () => {
  it('asks its replicas first, then tells them to take no new job, and keeps the number', () => {
    const asks = decide(twoIdle({ drain: factsOf(replicas, { asked: false, answers: {} }) }));
    expect(asks).toMatchObject({
      drainSteps: [],
      actions: [],
      memory: { drain: { atRest: false } },
      recheckAfterMs: 100,
    });
    const tells = decide(twoIdle({ drain: factsOf(replicas, { answers: answersOf({ cordoned: false }) }) }));
    expect(tells.drainSteps.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([
      'cordon pod-0',
      'cordon pod-1',
    ]);
    expect(tells).toMatchObject({
      actions: [],
      because: { reason: 'Draining' },
      status: { replicas: { draining: 0 } },
    });
  });

  it('marks those that both witnesses call idle once they are shown not ready', () => {
    expect(decide(cordoned(twoIdle()))).toMatchObject({ drainSteps: [], status: { replicas: { draining: 2 } } });
    const steps = decide(withReplicas(cordoned(twoIdle()), notReady(replicas))).drainSteps;
    expect(steps.map(({ kind }) => kind)).toEqual(['mark', 'mark']);
  });

  it('lowers the number by those that the ReplicaSet has counted, and tells the evidence when they are gone', () => {
    const state = marked(withReplicas(cordoned(twoIdle()), notReady(replicas)));
    const decision = decide(state);
    expect(decision.actions[0]?.manifest.spec.replicas).toBe(0);
    const gone: PoolState = { ...stateOf({ replicas: 0, drain: factsOf([]) }), memory: decision.memory };
    const after = decide(gone);
    expect(after.drainOutcomes.map(({ outcome }) => outcome)).toEqual(['proven', 'proven']);
    expect(toldBy(after)[0]?.note).toContain(
      'pod-0 was removed: it says that it runs no job, and Redis has no active job of it',
    );
    expect(toldBy(after)[0]?.note).toContain('the last job that it ended was 17 at 2026-01-05T11:59:30Z');
    expect(toldBy(after)[0]?.note).toContain('the ReplicaSet counted 2 before and 0 after');
    expect(decide({ ...gone, memory: after.memory }).drainOutcomes).toEqual([]);
  });

  it('keeps the number while Kubernetes has yet to follow the last one, and its reason', () => {
    const state = marked(withReplicas(cordoned(twoIdle()), notReady(replicas)));
    const view = state.deployment.ok && state.deployment.value;
    if (view === null || view === false) throw new Error('there is no Deployment');
    const behind = { ...state, deployment: known({ ...view, observedGeneration: 0 }, NOON) };
    expect(decide(behind)).toMatchObject({ actions: [], because: { reason: 'Draining' } });
    expect(decide(behind).because.message).toContain('waiting, the Deployment controller is behind');
  });

  it('keeps the number while the ReplicaSet has not counted a mark', () => {
    const state = marked(withReplicas(cordoned(twoIdle()), notReady(replicas)));
    const views = state.replicas.ok ? state.replicas.value : [];
    const decision = decide({ ...state, replicaSets: setsOf(views, 1) });
    expect(decision.actions).toEqual([]);
    expect(decision.because.message).toContain('the ReplicaSet counts 1 marked replicas, our watch 2');
  });

  it.each([
    ['Redis does not answer', { activeJobs: unknown('no answer') }],
    [
      'Redis has an active job of one',
      { activeJobs: known({ total: 1, unnamed: 0, byName: { 'pod-0': { jobs: 1, oldestStartedAt: 0 } } }, NOON) },
    ],
    ['an active job has no name', { activeJobs: known({ total: 1, unnamed: 1, byName: {} }, NOON) }],
  ] as const)('keeps those of which a witness does not testify: %s', (_, over) => {
    const state = marked(withReplicas(cordoned(twoIdle()), notReady(replicas)));
    const drain = { ...factsOf(state.replicas.ok ? state.replicas.value : []), ...over };
    expect(decide({ ...state, drain }).actions).toEqual([]);
  });

  it('gives them back to work in the pass in which load returns, the marks too', () => {
    const state = marked(withReplicas(cordoned(twoIdle()), notReady(replicas)));
    const loaded = stateOf({ replicas: 2, queue: { ready: 400 } });
    const decision = decide({ ...state, queue: loaded.queue });
    expect(decision.drainSteps.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([
      'uncordon pod-0',
      'uncordon pod-1',
      'unmark pod-0',
      'unmark pod-1',
    ]);
  });
});

describe('a step that failed', () => {
  const tells = twoIdle({ drain: factsOf(replicas, { answers: answersOf({ cordoned: false }) }) });
  const failedAt = (at: number, state = tells): PoolState => {
    const failed = { because: 'it answers /cordon with status 500', at };
    const drain = replicas.reduce(
      (memory, { uid }) => afterFailure(memory, { kind: 'cordon', uid }, failed),
      state.memory.drain,
    );
    return { ...state, memory: { ...state.memory, drain } };
  };

  it('is not tried in each pass, and passes do not follow each other for it', () => {
    expect(decide(tells)).toMatchObject({ drainSteps: { length: 2 }, recheckAfterMs: 100 });
    const pausing = decide(failedAt(NOON - 900));
    expect(pausing).toMatchObject({ drainSteps: [], recheckAfterMs: 1000 });
    expect(pausing.because.message).toContain('it answers /cordon with status 500');
    expect(decide(failedAt(NOON - 1000)).drainSteps).toHaveLength(2);
  });

  it('is forgotten with its replica, and when it was not tried again', () => {
    const failuresAfter = (state: PoolState) => Object.keys(decide(state).memory.drain.failures);
    expect(failuresAfter(failedAt(NOON - 900))).toHaveLength(2);
    expect(failuresAfter(failedAt(NOON - 60_000))).toEqual([]);
    const [first] = replicas;
    const fewer = withReplicas(tells, first === undefined ? [] : [first]);
    expect(failuresAfter(failedAt(NOON - 900, fewer))).toEqual(['cordon uid-pod-0']);
  });
});

describe('a pool whose replicas cannot be told', () => {
  it.each([
    ['the operator may make no Secret', { token: { because: 'Secret x cannot be made: forbidden' } }],
    ['their image has no cordon', {}],
  ] as const)('goes down only when no job runs, and says why: %s', (what, over) => {
    const state = twoIdle({ drain: factsOf(replicas, over) });
    const absent = { template: 'hash', because: 'it answers /cordon with status 404' };
    const memory = what.includes('image')
      ? { ...state.memory, drain: { ...state.memory.drain, absent } }
      : state.memory;
    expect(decide({ ...state, memory }).actions[0]?.manifest.spec.replicas).toBe(0);
    const busy = decide({
      ...state,
      memory,
      queue: stateOf({ replicas: 2, queue: { active: 1 } }).queue,
      replicas: known([replicaOf('pod-0'), replicaOf('pod-1'), replicaOf('pod-2')], NOON),
    });
    expect(busy.actions).toEqual([]);
    expect(busy).toMatchObject({ drainSteps: [], because: { reason: 'HeldByRunningJobs' } });
    expect(busy.because.message).toMatch(/one by one they cannot go: .*(forbidden|404)/);
  });

  it('are told again when their image is another, or when one of them takes the call after all', () => {
    const told = { kind: 'absent', because: 'it answers /cordon with status 404' } as const;
    const drain = afterCordon(twoIdle().memory.drain, { uid: 'uid-pod-0', template: 'old' }, told);
    const facts = factsOf(replicas, { answers: answersOf({ cordoned: false }) });
    const state = twoIdle({ drain: facts });
    const stepsWith = (memory: typeof drain) =>
      decide({ ...state, memory: { ...state.memory, drain: memory } }).drainSteps.length;
    expect(stepsWith(drain)).toBe(2);
    const ofThisImage = afterCordon(drain, { uid: 'uid-pod-0', template: 'hash' }, told);
    expect(stepsWith(ofThisImage)).toBe(0);
    const cordoned = { kind: 'cordoned', processStart: 'first', sentAt: NOON, answeredAt: NOON } as const;
    expect(stepsWith(afterCordon(ofThisImage, { uid: 'uid-pod-1', template: 'hash' }, cordoned))).toBe(2);
    expect(afterCordon(ofThisImage, { uid: 'uid-x', template: 'other' }, cordoned).absent?.template).toBe('hash');
  });
});

describe('a pool of which no replica can be called', () => {
  const silent = (over: Partial<DrainFacts> = {}): PoolState => {
    const answers = Object.fromEntries(replicas.map(({ uid }) => [uid, unknown('it does not answer: ECONNREFUSED')]));
    return twoIdle({ drain: factsOf(replicas, { answers, ...over }) });
  };
  const later = (state: PoolState, ms: number, memory: PoolState['memory'], active = 0): PoolState => ({
    ...state,
    now: NOON + ms,
    memory,
    queue: known(queueOf({ active }), NOON + ms),
  });
  const first = silent();
  const { memory } = decide(first);

  it('keeps its number for two minutes, then goes down where Redis has no active job of anybody', () => {
    expect(decide(later(first, 119_999, memory)).actions).toEqual([]);
    const gone = decide(later(first, 120_000, memory));
    expect(gone.actions[0]?.manifest.spec.replicas).toBe(0);
    expect(gone.drainSteps.map(({ kind }) => kind)).toEqual(['cordon', 'cordon']);
  });

  it('is told of in one event, with what to do', () => {
    const long = decide(later(first, 120_000, memory));
    expect(toldBy(long)).toContainEqual(
      expect.objectContaining({
        reason: 'ReplicasOutOfReach',
        note: expect.stringContaining('let it reach their port'),
      }),
    );
    const after = decide(later(first, 121_000, long.memory));
    expect(toldBy(after).map(({ reason }) => reason)).not.toContain('ReplicasOutOfReach');
  });

  it.each([
    ['a job is active', silent(), 1],
    ['Redis names an active job', silent({ activeJobs: known({ total: 1, unnamed: 1, byName: {} }, NOON) }), 0],
    ['Redis was not asked', silent({ activeJobs: unknown('no answer') }), 0],
    [
      'one that refuses to be told says that it works',
      silent({ answers: answersOf({ active: 1, cordoned: false }) }),
      0,
    ],
  ] as const)('keeps its number, and says why: %s', (_, state, active) => {
    const held = decide(later(state, 120_000, memory, active));
    expect(held).toMatchObject({ actions: [], because: { reason: 'HeldByRunningJobs' } });
    if (active > 0) expect(held.because.message).toContain('pod-0: it does not answer: ECONNREFUSED');
  });

  it('is drained again once one can be told and answers', () => {
    const cordons = cordoned(twoIdle()).memory.drain.cordons;
    const told = { ...memory, drain: { ...memory.drain, cordons } };
    const decision = decide(later({ ...first, drain: factsOf(replicas) }, 20_000, told));
    expect(decision.memory.drain.silence).toBeUndefined();
    expect(memory.drain.silence).toMatchObject({ since: NOON, isLong: false });
  });
});

describe('a failed replica of a pool that wants all of them', () => {
  const begun = { pod: 'pod-1', uid: 'uid-pod-1', at: '2026-01-05T11:59:59.000Z', reason: 'Wedged' } as const;
  /** Its retry stands in the status, and it runs a job. */
  const state = (mode: 'Auto' | 'Recommend' = 'Auto', asked = true): PoolState => {
    const three = [
      replicaOf('pod-0'),
      replicaOf('pod-2'),
      replicaOf('pod-1', { health: known(healthOf({ active: 1 }), NOON) }),
    ];
    const pool = samplePool({ minReplicas: 3 });
    const restarts = { templateHash: 'hash', used: 1, left: 2, everReady: true, pending: begun };
    const atWork = (name: string) => known(answerOf(name, { cordoned: false, active: 1 }), NOON);
    const answers = Object.fromEntries(three.map(({ name, uid }) => [uid, atWork(name)]));
    const settled = stateOf({
      pool: { ...pool, spec: { ...pool.spec, mode }, status: { ...pool.status, restarts } },
      replicas: 3,
      replicaSets: setsOf(three),
      drain: factsOf(three, { asked, answers: asked ? answers : {} }),
    });
    return { ...settled, replicas: known(three, NOON) };
  };

  it('is asked, then told to take no new job, alone, and the number stays', () => {
    expect(decide(state('Auto', false))).toMatchObject({ drainSteps: [], memory: { drain: { atRest: false } } });
    const tells = decide(state());
    expect(tells.drainSteps.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['cordon pod-1']);
    expect(tells).toMatchObject({ actions: [], status: { replicas: { draining: 0 } } });
    expect(tells.deletion).toBeUndefined();
  });

  it('is told nothing where the pool only recommends', () => {
    expect(decide(state('Recommend')).drainSteps).toEqual([]);
  });
});

function answersOf(over: Partial<ReplicaAnswer>): DrainFacts['answers'] {
  return Object.fromEntries(replicas.map(({ name, uid }) => [uid, known(answerOf(name, over), NOON)]));
}
