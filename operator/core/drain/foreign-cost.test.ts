import { expect, it } from 'vitest';
import { decide } from '../decide.ts';
import { known } from '../known.ts';
import { NOON, replicaOf, stateOf, toldBy } from '../state.fixture.ts';
import type { PoolState, ReplicaView } from '../state.ts';
import { costOf } from './foreign-cost.ts';

const stateWith = (replicas: readonly ReplicaView[], memory?: PoolState['memory']): PoolState => {
  const state = stateOf({ replicas: replicas.length });
  return { ...state, replicas: known(replicas, NOON), memory: memory ?? state.memory };
};
const said = (decision: ReturnType<typeof decide>) =>
  toldBy(decision)
    .filter(({ reason }) => reason === 'ForeignDeletionCost')
    .map(({ note }) => note);

const foreign = [
  replicaOf('pod-0', { foreignCost: '5' }),
  replicaOf('pod-1', { foreignCost: '7' }),
  replicaOf('pod-2'),
];

it('is told once, with what it is good for, and again only when it has been away', () => {
  const first = decide(stateWith(foreign));
  expect(said(first)).toEqual([
    "2 replicas have a controller.kubernetes.io/pod-deletion-cost that is not the operator's (pod-0: 5); it stays, and chooses between replicas that are equal otherwise, until the replica is proven idle: then the operator sets its own",
  ]);
  const second = decide(stateWith(foreign, first.memory));
  expect(said(second)).toEqual([]);
  // At zero nobody has set anything, and nothing is known to have ended.
  const empty = decide(stateWith([], second.memory));
  expect(said(decide(stateWith(foreign, empty.memory)))).toEqual([]);
  const without = decide(stateWith([replicaOf('pod-3')], second.memory));
  expect(said(decide(stateWith(foreign, without.memory)))).toHaveLength(1);
});

it('says nothing where nobody sets one', () => {
  expect(said(decide(stateWith([replicaOf('pod-0')])))).toEqual([]);
});

it.each([
  ['-2147483648', -2_147_483_648],
  ['12', 12],
  ['1e3', 0],
  ['', 0],
])('reads %j as the ReplicaSet controller does', (text, cost) => {
  expect(costOf(text)).toBe(cost);
});
