import { describe, expect, it } from 'vitest';
import { samplePool, stateOf } from '../state.fixture.ts';
import { chooseTarget } from '../target.ts';

/** The target of a pool without replicas, of 5 slots each. */
const targetOf = (scaling: Parameters<typeof samplePool>[0], queue: Parameters<typeof stateOf>[0] & object) => {
  const state = stateOf({ ...queue, pool: samplePool(scaling) });
  return chooseTarget({ state, queue: state.queue, deployment: null, current: 0 });
};

describe('the limits of a pool', () => {
  it('hold the number to maxReplicas, and say so after the arithmetic', () => {
    const target = targetOf({ maxReplicas: 5 }, { queue: { ready: 42 } });
    expect(target).toMatchObject({ wanted: 5, replicas: 5 });
    expect(target.because).toEqual({
      reason: 'HeldToMaximum',
      message: '0 active + 42 waiting = 42 slots; 5 a replica → 9; held to 5 by maxReplicas',
    });
    expect(target.bounds).toEqual([{ from: 9, to: 5, reason: 'HeldToMaximum', clause: 'held to 5 by maxReplicas' }]);
  });

  it('raise the number to minReplicas', () => {
    expect(targetOf({ minReplicas: 2 }, {}).because).toEqual({
      reason: 'RaisedToMinimum',
      message: 'nothing waits and nothing runs; raised to 2 by minReplicas',
    });
  });

  it('say nothing of a number that they let pass', () => {
    expect(targetOf({ minReplicas: 1, maxReplicas: 9 }, { queue: { ready: 42 } }).bounds).toEqual([]);
  });
});
