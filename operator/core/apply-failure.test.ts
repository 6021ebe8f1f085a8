import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import { afterApplying, NOON, stateOf, toldBy } from './state.fixture.ts';
import type { PoolState } from './state.ts';

const WORDS = 'Internal error occurred: failed calling webhook "policy.test": connection refused\nand more';

/** A pool of 2 that should have 9, while the API server fails to apply it since `ms`. */
const failingFor = (ms: number): PoolState => {
  const state = stateOf({ replicas: 2, queue: { ready: 42 } });
  return { ...state, memory: { ...state.memory, applyFailure: { since: NOON - ms, because: WORDS } } };
};
const conditionsOf = (state: PoolState) =>
  Object.fromEntries((decide(state).status.conditions ?? []).map((condition) => [condition.type, condition]));

describe('a pool that the API server fails to apply', () => {
  it('is tried again, and says so in the server’s words: not Ready, not scaling, nobody needs to act yet', () => {
    const state = failingFor(5_000);
    expect(decide(state).actions[0]?.manifest.spec.replicas).toBe(9);
    const said = { status: 'False', reason: 'ApplyFailing' };
    expect(conditionsOf(state)).toMatchObject({
      Ready: said,
      ScalingActive: said,
      Reconciling: { status: 'True', reason: 'ApplyFailing' },
      Stalled: { status: 'False' },
    });
    expect(conditionsOf(state)['Ready']?.message).toBe(
      'the API server fails to apply the Deployment and is asked again; running workers are left as they are: Internal error occurred: failed calling webhook "policy.test": connection refused',
    );
    expect(decide(state).status.replicas).toMatchObject({ current: 2, wanted: 9 });
  });

  it('wants a person after half a minute, says so in one event, and is still tried', () => {
    const state = failingFor(30_000);
    expect(conditionsOf(state)).toMatchObject({
      Stalled: { status: 'True', reason: 'ApplyFailing' },
      Ready: { status: 'False' },
    });
    const { events, actions, status } = decide(state);
    expect(actions).toHaveLength(1);
    expect(events.withStatus.filter(({ reason }) => reason === 'ApplyFailing')).toHaveLength(1);
    const again = decide({ ...state, pool: { ...state.pool, status } });
    expect(toldBy(again).filter(({ reason }) => reason === 'ApplyFailing')).toEqual([]);
  });

  it('says nothing of it any more once it is applied', () => {
    const state = failingFor(60_000);
    const { applyFailure: _over, ...memory } = state.memory;
    const recovered = { ...state, memory };
    const after = afterApplying(recovered, decide(recovered));
    expect(conditionsOf(after)).toMatchObject({ Ready: { status: 'True' }, ScalingActive: { status: 'True' } });
  });
});
