import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import type { Decision } from './decision.ts';
import { known, unknown } from './known.ts';
import { afterApplying, deploymentOf, NOON, queueOf, replicaOf, samplePool, stateOf, toldBy } from './state.fixture.ts';
import type { PoolState } from './state.ts';

const applied = (state: PoolState): number | undefined => decide(state).actions[0]?.manifest.spec.replicas;
const condition = (state: PoolState, type: string) => decide(state).status.conditions?.find((c) => c.type === type);
const idle = { active: 0, slots: 5, processStart: 1, durationSum: 0, durationCount: 0 };

describe('scaling up', () => {
  it('goes from zero to what the queue needs in one step, and says how it counted', () => {
    const decision = decide(stateOf({ queue: { ready: 42 } }));
    expect(decision.actions[0]?.manifest.spec.replicas).toBe(9);
    expect(decision.because).toEqual({
      reason: 'SizedToQueue',
      message: '0 active + 42 waiting = 42 slots; 5 a replica → 9',
    });
    expect(decision.status.decision).toMatchObject(decision.because);
    expect(toldBy(decision)).toEqual([
      {
        type: 'Normal',
        reason: 'Scaled',
        action: 'Scale',
        note: 'Scaled 0 → 9: 0 active + 42 waiting = 42 slots; 5 a replica → 9',
      },
    ]);
  });

  it('writes on the resourceVersion that it was decided on', () => {
    const [action] = decide(stateOf({ queue: { ready: 42 } })).actions;
    expect(action?.manifest.metadata.resourceVersion).toBe('100');
  });

  it('makes a missing Deployment without a resourceVersion, so that an existing one is never taken over', () => {
    const [action] = decide(stateOf({ deployment: known(null, NOON) })).actions;
    expect(action?.manifest.metadata.resourceVersion).toBeUndefined();
    expect(action?.manifest.spec.replicas).toBe(0);
  });

  it('wakes a pool at zero when its first delayed job becomes due', () => {
    const state = stateOf({ queue: { delayed: 1, nextDelayedAt: NOON + 4000 } });
    expect(decide(state)).toMatchObject({ actions: [], wake: 'instant', recheckAfterMs: 4000 });
  });

  it('does not start replicas for a paused queue', () => {
    const decision = decide(stateOf({ queue: { ready: 500, paused: true } }));
    expect(decision.actions).toEqual([]);
    expect(decision.because.message).toBe(
      'the queue is paused: nothing waits and nothing runs (500 more wait in the paused queue)',
    );
  });
});

describe('scaling down', () => {
  it('removes nothing while any job runs anywhere in the pool', () => {
    const state = stateOf({ replicas: 4, queue: { active: 1 } });
    const decision = decide(state);
    expect(decision.actions).toEqual([]);
    expect(decision.wanted).toBe(1);
    expect(decision.because).toEqual({
      reason: 'HeldByRunningJobs',
      message: '1 active + 0 waiting = 1 slot; 5 a replica → 1; 1 job still runs, so 4 stay instead of 1',
    });
  });

  it('believes a replica that says it runs a job, even when Redis shows none', () => {
    const busy = replicaOf('pod-1', { report: known({ ...idle, active: 2 }, NOON) });
    const state = stateOf({ replicas: 2 });
    const decision = decide({ ...state, replicas: known([replicaOf('pod-0'), busy], NOON) });
    expect(decision.because.reason).toBe('HeldByRunningJobs');
  });

  it('removes nothing while a replica starts, which could not hear it yet, but waits for no start that fails', () => {
    const state = stateOf({ replicas: 2 });
    const at = (createdAt: number) => ({
      ...state,
      replicas: known([replicaOf('pod-0'), replicaOf('pod-1', { ready: false, createdAt })], NOON),
    });
    const held = decide(at(NOON - 2000));
    expect(held).toMatchObject({ actions: [], wanted: 0, because: { reason: 'HeldByStart' }, recheckAfterMs: 1000 });
    expect(held.because.message).toBe('nothing waits and nothing runs; 1 replica is starting, so 2 stay instead of 0');
    expect(applied(at(NOON - 60_000))).toBe(0);
  });

  it('removes nothing when the replicas cannot be seen', () => {
    const decision = decide({ ...stateOf({ replicas: 2 }), replicas: unknown('the pods are not listed yet') });
    expect(decision).toMatchObject({ actions: [], because: { reason: 'HeldByRunningJobs' } });
  });

  it('removes nothing in the middle of a rollout', () => {
    const state = stateOf({ replicas: 4 });
    const deployment = { ...deploymentOf(state.pool, 4), status: { replicas: 5, updated: 1, ready: 5, available: 5 } };
    expect(decide({ ...state, deployment: known(deployment, NOON) })).toMatchObject({
      actions: [],
      because: { reason: 'HeldByRollout', message: expect.stringContaining('a rollout is under way') as unknown },
    });
  });

  it('removes nothing while Kubernetes has yet to follow the last number, and calls that no rollout', () => {
    const state = stateOf({ replicas: 4 });
    const deployment = { ...deploymentOf(state.pool, 4), observedGeneration: 0 };
    const message = expect.stringContaining('Kubernetes has yet to follow the last change, so 4 stay') as unknown;
    expect(decide({ ...state, deployment: known(deployment, NOON) })).toMatchObject({
      actions: [],
      because: { reason: 'HeldByRollout', message },
    });
  });

  it('goes to zero once nothing waits, nothing runs and the window has passed', () => {
    const busy = stateOf({ replicas: 4, queue: { ready: 20 } });
    const calm = { ...afterApplying(busy, decide(busy), 1000), queue: known(queueOf(), NOON + 1000) };
    const held = decide(calm);
    expect(held).toMatchObject({ actions: [], wanted: 4, because: { reason: 'HeldByWindow' }, recheckAfterMs: 30_000 });
    expect(held.because.message).toBe(
      'nothing waits and nothing runs; held at 4 because 4 were wanted within the last 60 s',
    );
    const later = afterApplying(calm, held, 60_001);
    expect(applied(later)).toBe(0);
  });

  it('removes nothing before a new leader has watched a whole window', () => {
    const state = stateOf({ replicas: 4 });
    const fresh = { ...state, memory: { ...state.memory, watchingSince: NOON - 10_000 } };
    const decision = decide(fresh);
    expect(decision).toMatchObject({ actions: [], because: { reason: 'WatchingFirstWindow' } });
    expect(decision.because.message).toContain('held at 4 until a whole window was watched, 50 s more');
  });

  it('never has a window shorter than the wait target', () => {
    const pool = samplePool({ scaleDownWindowMs: 1000, targetWaitMs: 20_000 });
    const busy = stateOf({ pool, replicas: 4, queue: { ready: 20 } });
    const calm = { ...afterApplying(busy, decide(busy), 5000), queue: known(queueOf(), NOON + 5000) };
    expect(decide(calm).because.reason).toBe('HeldByWindow');
    expect(applied(afterApplying(calm, decide(calm), 20_001))).toBe(0);
  });
});

describe('what is unknown', () => {
  it('keeps the replicas that run when the queue cannot be read, and says why', () => {
    const state = stateOf({
      replicas: 4,
      redis: { ok: false, trouble: 'RedisUnreachable', because: 'redis:6379 refuses connections' },
    });
    const decision = decide({ ...state, queue: unknown('redis:6379 refuses connections') });
    expect(decision).toMatchObject({ actions: [], wanted: 4, because: { reason: 'QueueUnknown' } });
    expect(decision.because.message).toBe(
      'the queue cannot be read: redis:6379 refuses connections; 4 replicas stay until it can',
    );
    expect(decision.status.queue?.waiting).toBeUndefined();
  });

  it('scales nothing down on the first good reading after an outage', () => {
    const blind = { ...stateOf({ replicas: 4 }), queue: unknown('timed out') };
    const seen = { ...afterApplying(blind, decide(blind), 1000), queue: known(queueOf(), NOON + 1000) };
    expect(decide(seen).because.reason).toBe('HeldByWindow');
  });

  it('counts a queue that was never used as empty, and stays ready', () => {
    const state = stateOf({ queue: { exists: false } });
    expect(decide(state).wanted).toBe(0);
    expect(condition(state, 'QueueObserved')).toMatchObject({ status: 'False', reason: 'NotSeenYet' });
    expect(condition(state, 'Ready')).toMatchObject({ status: 'True' });
  });

  it('does not believe that a queue is empty when every key of it is gone', () => {
    const pool = { ...samplePool(), status: { queue: { seen: true } } };
    const state = stateOf({ pool, replicas: 4, queue: { exists: false } });
    expect(decide(state)).toMatchObject({ actions: [], because: { reason: 'QueueUnknown' } });
    expect(condition(state, 'QueueObserved')).toMatchObject({ status: 'False', reason: 'QueueVanished' });
  });

  it('still keeps minReplicas when only the operator cannot reach Redis', () => {
    const state = stateOf({
      pool: samplePool({ minReplicas: 2 }),
      redis: { ok: false, trouble: 'RedisUnreachable', because: 'refused' },
    });
    expect(applied({ ...state, queue: unknown('refused') })).toBe(2);
  });

  it('starts no worker that could only fail for want of its Secret', () => {
    const state = stateOf({
      pool: samplePool({ minReplicas: 2 }),
      redis: { ok: false, trouble: 'SecretNotFound', because: 'make Secret env' },
    });
    expect(applied({ ...state, queue: unknown('make Secret env') })).toBeUndefined();
    expect(condition({ ...state, queue: unknown('x') }, 'Stalled')).toMatchObject({
      status: 'True',
      reason: 'SecretNotFound',
      message: 'make Secret env',
    });
  });
});

describe('what stands in the way', () => {
  it('leaves the queue to the older of two pools', () => {
    const rival = { namespace: 'agents', name: 'older', uid: 'u', createdAt: NOON - 7_200_000 };
    const state = stateOf({ queue: { ready: 9 }, rivals: [rival] });
    expect(decide(state)).toMatchObject({ actions: [], because: { reason: 'QueueTaken' } });
    expect(condition(state, 'Stalled')?.status).toBe('True');
    const younger = { ...rival, createdAt: NOON };
    expect(applied(stateOf({ queue: { ready: 9 }, rivals: [younger] }))).toBe(2);
  });

  it('never touches a Deployment of its name that is not its own', () => {
    const state = stateOf({ queue: { ready: 9 } });
    const { ownerUid: _owner, ...foreign } = deploymentOf(state.pool, 1);
    const decision = decide({ ...state, deployment: known(foreign, NOON) });
    expect(decision).toMatchObject({ actions: [], because: { reason: 'NameTaken' } });
    // Its replicas are not the pool's.
    expect(decision.status.replicas).toMatchObject({ current: 0, wanted: 0 });
  });

  it('repeats no template that the API server refused, until the spec changes', () => {
    const state = stateOf({ queue: { ready: 9 } });
    const refused = {
      ...state,
      memory: {
        ...state.memory,
        refusal: { generation: 1, at: NOON - 1000, because: 'ports[1].name: Duplicate value: "http"' },
      },
    };
    expect(decide(refused).actions).toEqual([]);
    expect(condition(refused, 'Stalled')?.message).toContain('Duplicate value: "http"');
    expect(applied({ ...refused, pool: { ...refused.pool, generation: 2 } })).toBe(2);
    // A quota may have changed meanwhile.
    expect(applied({ ...refused, now: NOON + 360_000 })).toBe(2);
  });

  it('does nothing for a pool that is being deleted', () => {
    const pool = { ...samplePool(), deletionAt: NOON };
    expect(decide(stateOf({ pool, queue: { ready: 9 } }))).toMatchObject({
      actions: [],
      events: { noticed: [], carriedOut: [], withStatus: [] },
      because: { reason: 'Deleting' },
    });
  });

  it('says what the cluster says of a rollout that cannot finish', () => {
    const state = stateOf({ replicas: 1, queue: { active: 1 } });
    const deployment = { ...deploymentOf(state.pool, 1), stuckBecause: 'ReplicaSet "x" has timed out progressing.' };
    const stuck = { ...state, deployment: known(deployment, NOON) };
    expect(condition(stuck, 'Stalled')).toMatchObject({ status: 'True', reason: 'RolloutStuck' });
    expect(condition(stuck, 'Ready')?.status).toBe('False');
  });

  it('says what the cluster says of replicas that it refuses to make', () => {
    const state = stateOf({ replicas: 1, queue: { active: 1 } });
    const deployment = { ...deploymentOf(state.pool, 1), refusedBecause: 'pods "x" is forbidden: exceeded quota' };
    const refused = { ...state, deployment: known(deployment, NOON) };
    expect(condition(refused, 'Stalled')).toMatchObject({ status: 'True', reason: 'ReplicasRefused' });
    expect(condition(refused, 'Stalled')?.message).toContain('exceeded quota. Make room for them');
    expect(condition(refused, 'Ready')?.status).toBe('False');
  });

  it('says why no replica can start, while none works, and goes on scaling', () => {
    const broken = replicaOf('a', { ready: false, cannotStart: 'ImagePullBackOff: no such image' });
    const leaving = replicaOf('b', { terminating: true });
    const none = { ...stateOf({ replicas: 1, queue: { ready: 9 } }), replicas: known([broken, leaving], NOON) };
    expect(condition(none, 'Stalled')).toMatchObject({
      status: 'True',
      reason: 'ReplicasCannotStart',
      message:
        'no replica can start: a: ImagePullBackOff: no such image. Correct spec.workers.template, or what it names',
    });
    expect(applied(none)).toBe(2);
    const some = { ...none, replicas: known([broken, replicaOf('c')], NOON) };
    expect(condition(some, 'Stalled')?.status).toBe('False');
    const slow = { ...none, replicas: known([replicaOf('a', { ready: false })], NOON) };
    expect(condition(slow, 'Stalled')?.status).toBe('False');
  });
});

describe('Ready', () => {
  const readyOf = ({ status }: Decision) => status.conditions?.find(({ type }) => type === 'Ready')?.status;
  /** The watch shows the write, and the Deployment's controller has not counted yet. */
  const uncounted = (state: PoolState, decision: Decision): PoolState => {
    const next = afterApplying(state, decision);
    const deployment = next.deployment.ok ? next.deployment.value : null;
    if (deployment === null) throw new Error('nothing was applied');
    return { ...next, deployment: known({ ...deployment, observedGeneration: 1 }, next.now) };
  };

  it('stays through a change of the number', () => {
    const settled = stateOf({ replicas: 1, queue: { active: 2 } });
    const before = afterApplying(settled, decide(settled));
    const burst = { ...before, queue: known(queueOf({ active: 2, ready: 30 }), before.now) };
    const scaled = decide(burst);
    expect(scaled.actions).toHaveLength(1);
    expect([readyOf(scaled), readyOf(decide(uncounted(burst, scaled)))]).toEqual(['True', 'True']);
  });

  it('is not said of a new template before its rollout was counted', () => {
    const settled = stateOf({ replicas: 1, queue: { active: 2 } });
    const before = afterApplying(settled, decide(settled));
    const changed = { ...before, pool: { ...before.pool, generation: 2 } };
    const applied = decide(changed);
    expect([readyOf(applied), readyOf(decide(uncounted(changed, applied)))]).toEqual(['False', 'False']);
  });
});

describe('somebody else writes replicas', () => {
  const edited = (replicas: number, over: Partial<PoolState['memory']> = {}): PoolState => {
    const state = stateOf({ replicas: 1, queue: { ready: 3 } });
    const deployment = {
      ...deploymentOf(state.pool, replicas),
      generation: 2,
      observedGeneration: 2,
      replicasManager: 'kubectl',
    };
    return { ...state, deployment: known(deployment, NOON), memory: { ...state.memory, ...over } };
  };

  it('corrects a number that was set by hand, and names who set it', () => {
    const decision = decide(edited(0));
    expect(decision.actions[0]?.manifest.spec.replicas).toBe(1);
    expect(toldBy(decision)[0]).toMatchObject({ reason: 'ReplicasCorrected', type: 'Warning' });
    expect(toldBy(decision)[0]?.note).toContain('kubectl set replicas to 0; corrected to 1');
    expect(decision.memory.corrections).toEqual([{ at: NOON, manager: 'kubectl' }]);
  });

  it('counts a scale to zero too, of which Kubernetes does not keep who did it', () => {
    const state = edited(0);
    const { replicasManager: _nobody, ...deployment } = deploymentOf(state.pool, 0);
    const decision = decide({ ...state, deployment: known({ ...deployment, generation: 2 }, NOON) });
    expect(toldBy(decision)[0]?.note).toContain('somebody set replicas to 0; corrected to 1');
    expect(decision.memory.corrections).toHaveLength(1);
  });

  it('keeps its hands off for ten minutes after three corrections in ten minutes', () => {
    const corrections = [NOON - 300_000, NOON - 200_000, NOON - 60_000].map((at) => ({ at, manager: 'kubectl' }));
    const state = edited(0, { corrections });
    expect(decide(state).actions[0]?.manifest.spec.replicas).toBe(0);
    expect(decide(state).because.message).toMatch(
      /^kubectl changed replicas 3 times in ten minutes; .* until 2026-01-05T12:09:00Z: stop/,
    );
    expect(condition(state, 'ScalingActive')).toMatchObject({ status: 'False', reason: 'HandsOff' });
    const later = { ...state, now: NOON + 600_000, queue: known(queueOf({ ready: 3 }), NOON + 600_000) };
    expect(decide(later).actions[0]?.manifest.spec.replicas).toBe(1);
  });

  it('applies the template again when the Deployment was edited by hand', () => {
    const state = stateOf({ replicas: 1, queue: { ready: 3 } });
    const changed = { ...deploymentOf(state.pool, 1), generation: 2, observedGeneration: 2 };
    expect(applied({ ...state, deployment: known(changed, NOON) })).toBe(1);
  });

  it('makes a deleted Deployment again at once', () => {
    const decision = decide({ ...stateOf({ replicas: 2, queue: { ready: 3 } }), deployment: known(null, NOON) });
    expect(decision.actions[0]?.manifest.spec.replicas).toBe(1);
    expect(toldBy(decision)[0]?.reason).toBe('DeploymentRecreated');
  });

  it('does not take its own write for a foreign one while the watch is behind', () => {
    const state = stateOf({ queue: { ready: 9 } });
    const next = afterApplying(state, decide(state));
    expect(decide({ ...next, deployment: state.deployment }).actions).toEqual([]);
  });
});
