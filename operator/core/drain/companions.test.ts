import { expect, it } from 'vitest';
import { decide } from '../decide.ts';
import { known, unknown } from '../known.ts';
import { NOON, replicaOf, stateOf } from '../state.fixture.ts';
import type { PoolState } from '../state.ts';

const drain: PoolState['drain'] = {
  asked: false,
  answers: {},
  activeJobs: known({ total: 0, unnamed: 0, byName: {} }, NOON),
  token: 'present',
};
const stateWith = (replicas: PoolState['replicas']): PoolState => ({ ...stateOf({ replicas: 1, drain }), replicas });
const one = stateWith(known([replicaOf('pod-0')], NOON));

const madeAt = (budgetAt: number): PoolState => ({
  ...one,
  memory: { ...one.memory, drain: { ...one.memory.drain, budgetAt } },
});

it('a pool has a disruption budget as soon as it has a replica, and again when somebody took it away', () => {
  expect(decide(one).makesBudget).toBe(true);
  expect(decide(madeAt(NOON - 1000)).makesBudget).toBe(false);
  expect(decide(madeAt(NOON - 600_000)).makesBudget).toBe(true);
});

it('a pool without a replica asks for no disruption budget, nor one of which that is not known', () => {
  expect(decide(stateWith(known([], NOON))).makesBudget).toBe(false);
  expect(decide(stateWith(unknown('not read'))).makesBudget).toBe(false);
});
