import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import { unknown } from './known.ts';
import { afterApplying, deploymentOf, NOON, samplePool, stateOf, toldBy } from './state.fixture.ts';
import { known } from './known.ts';
import type { PoolState } from './state.ts';

const inMode = (mode: 'Auto' | 'Recommend' | 'Paused', state: PoolState): PoolState => ({
  ...state,
  pool: { ...state.pool, spec: { ...state.pool.spec, mode } },
});
const condition = (state: PoolState, type: string) => decide(state).status.conditions?.find((c) => c.type === type);
const hpa = { kind: 'HorizontalPodAutoscaler', name: 'agent-jobs' } as const;

describe('mode Recommend', () => {
  const busy = inMode('Recommend', stateOf({ replicas: 3, queue: { ready: 42 } }));

  it('says the number and its arithmetic, and changes nothing', () => {
    const decision = decide(busy);
    expect(decision).toMatchObject({ wanted: 9, actions: [] });
    expect(toldBy(decision)).toEqual([]);
    expect(decision.because).toEqual({
      reason: 'SizedToQueue',
      message: '0 active + 42 waiting = 42 slots; 5 a replica → 9; recommended only, 3 replicas stay',
    });
    expect(decision.status.replicas).toMatchObject({ current: 3, wanted: 9 });
    expect(condition(busy, 'ScalingActive')).toMatchObject({
      status: 'False',
      reason: 'Recommend',
      message: '9 would be right, 3 replicas stay: spec.mode is Recommend',
    });
  });

  it('is ready at once: nothing is to be applied, whatever the Deployment is', () => {
    const states = [
      busy,
      { ...busy, pool: { ...busy.pool, generation: 7 } },
      { ...busy, deployment: known(null, busy.now) },
    ];
    for (const state of states) {
      expect(decide(state).actions).toEqual([]);
      expect(condition(state, 'Ready')).toMatchObject({ status: 'True', reason: 'Recommend' });
      expect(condition(state, 'Reconciling')).toMatchObject({ status: 'False' });
    }
  });

  it('says of an unknown queue what Auto says', () => {
    const blind = { ...busy, queue: unknown('timed out') };
    expect(condition(blind, 'ScalingActive')).toMatchObject({ reason: 'QueueUnknown' });
  });

  it('recommends beside another autoscaler, which is how one is replaced', () => {
    expect(decide({ ...busy, autoscalers: [hpa] }).wanted).toBe(9);
  });
});

describe('mode Recommend beside a Deployment of others', () => {
  const { ownerUid: _nobody, ...foreign } = deploymentOf(samplePool(), 4);
  const beside = (state: PoolState): PoolState => {
    const recommending = inMode('Recommend', state);
    const { spec } = recommending.pool;
    const workers = { ...spec.workers, deploymentName: 'old-workers' };
    return { ...recommending, pool: { ...recommending.pool, spec: { ...spec, workers } } };
  };
  const state = beside({
    ...stateOf({ queue: { ready: 42, active: 20 } }),
    deployment: known({ ...foreign, status: { ...foreign.status, ready: 3 } }, NOON),
  });

  it('counts its replicas and says what they should be', () => {
    const decision = decide(state);
    expect(decision).toMatchObject({ wanted: 13, actions: [], because: { reason: 'SizedToQueue' } });
    expect(decision.because.message).toMatch(/→ 13; recommended only, 4 replicas stay$/);
    expect(decision.status.replicas).toMatchObject({ current: 4, ready: 3, wanted: 13 });
    expect(condition(state, 'Stalled')).toMatchObject({ status: 'False' });
  });

  it('says so when there is none of that name, and what to do', () => {
    expect(condition({ ...state, deployment: known(null, NOON) }, 'Stalled')).toMatchObject({
      status: 'True',
      reason: 'DeploymentNotFound',
      message:
        'there is no Deployment old-workers in namespace agents: correct spec.workers.deploymentName, or remove it',
    });
  });

  it('says nothing of a rollout that is stuck there: it is not the pool that has to mend it', () => {
    const stuck = { ...foreign, stuckBecause: 'timed out progressing', generation: 9 };
    expect(condition({ ...state, deployment: known(stuck, NOON) }, 'Stalled')).toMatchObject({ status: 'False' });
  });

  it('does not touch a Deployment of its own name either, whoever it belongs to', () => {
    const named = inMode('Recommend', { ...stateOf(), deployment: known(foreign, NOON) });
    expect(decide(named)).toMatchObject({ actions: [], because: { reason: 'NameTaken' } });
  });
});

describe('mode Paused', () => {
  it('changes nothing and says so', () => {
    const state = inMode('Paused', stateOf({ replicas: 3, queue: { ready: 42 } }));
    expect(decide(state)).toMatchObject({
      wanted: 3,
      actions: [],
      because: { reason: 'Paused', message: 'spec.mode is Paused: nothing is changed, 3 replicas stay' },
    });
    expect(condition(state, 'Ready')).toMatchObject({ status: 'True', reason: 'Paused' });
    expect(condition(state, 'ScalingActive')).toMatchObject({ status: 'False', reason: 'Paused' });
  });

  it('corrects no number that somebody sets by hand', () => {
    const state = inMode('Paused', stateOf({ replicas: 3, queue: { ready: 42 } }));
    const edited = { ...deploymentOf(state.pool, 1), generation: 2, replicasManager: 'kubectl' };
    const decision = decide({ ...state, deployment: known(edited, state.now) });
    expect(decision).toMatchObject({ actions: [], memory: { corrections: [] } });
    expect(toldBy(decision)).toEqual([]);
  });
});

describe('another autoscaler on the Deployment', () => {
  const state = { ...stateOf({ replicas: 3, queue: { ready: 42 } }), autoscalers: [hpa] };

  it('keeps the hands off while it is there, and is named', () => {
    const decision = decide(state);
    expect(decision).toMatchObject({ wanted: 3, actions: [], because: { reason: 'OtherAutoscaler' } });
    expect(condition(state, 'ScalingActive')).toMatchObject({
      status: 'False',
      reason: 'OtherAutoscaler',
      message:
        'HorizontalPodAutoscaler agent-jobs scales the Deployment agent-jobs, 3 replicas stay as it sets them while it is there: delete it, or set spec.mode to Recommend',
    });
    expect(toldBy(decision)).toMatchObject([{ type: 'Warning', reason: 'OtherAutoscaler' }]);
  });

  it('is told of once, and scaling goes on when it is gone', () => {
    const next = afterApplying(state, decide(state));
    expect(toldBy(decide(next))).toEqual([]);
    expect(decide({ ...next, autoscalers: [] }).actions[0]?.manifest.spec.replicas).toBe(9);
  });

  it('gets a new template with the number that it has set', () => {
    const edited = { ...deploymentOf(state.pool, 6), generation: 2, replicasManager: 'kube-controller-manager' };
    const changed = { ...state, pool: { ...state.pool, generation: 2 }, deployment: known(edited, state.now) };
    const decision = decide(changed);
    expect(decision.actions[0]?.manifest.spec.replicas).toBe(6);
    expect(decision.memory.corrections).toEqual([]);
  });
});

describe('for any state', () => {
  it('nothing at all is done while the mode is not Auto', () => {
    const anything = fc.record({
      mode: fc.constantFrom('Recommend' as const, 'Paused' as const),
      replicas: fc.nat({ max: 9 }),
      ready: fc.nat({ max: 500 }),
      active: fc.nat({ max: 50 }),
      generation: fc.integer({ min: 1, max: 3 }),
      minReplicas: fc.nat({ max: 5 }),
      exists: fc.boolean(),
    });
    fc.assert(
      fc.property(anything, ({ mode, replicas, ready, active, generation, minReplicas, exists }) => {
        const pool = { ...samplePool({ minReplicas }), generation };
        const state = stateOf({ pool, replicas, queue: { ready, active } });
        const seen = exists ? state : { ...state, deployment: known(null, state.now) };
        expect(decide(inMode(mode, seen)).actions).toEqual([]);
      }),
    );
  });
});
