import { DELETION_COST_ANNOTATION } from '../../api/names.ts';
import type { PoolEvent } from '../pool-event.ts';
import { count } from '../sentence.ts';
import type { PoolState, ReplicaView } from '../state.ts';

/** The least there is: among replicas that are not ready, such a one goes first. */
export const LOWEST_COST = -2_147_483_648;

/** As the ReplicaSet controller reads it: one that is no number counts as none, so 0. */
export function costOf(text: string): number {
  return /^-?\d+$/.test(text) ? Number(text) : 0;
}

const withForeignCost = ({ replicas }: PoolState): readonly ReplicaView[] =>
  replicas.ok ? replicas.value.filter(({ foreignCost, terminating }) => foreignCost !== undefined && !terminating) : [];

/** Whether it was said, after this pass: it is said again when the pool has had replicas without such a cost. */
export function foreignCostsTold(state: PoolState): boolean {
  const isSeen = state.replicas.ok && state.replicas.value.length > 0;
  return isSeen ? withForeignCost(state).length > 0 : state.memory.drain.foreignCostsTold === true;
}

/** Once: who sets costs is told what they are good for here. */
export function foreignCostEvents(state: PoolState): readonly PoolEvent[] {
  const replicas = withForeignCost(state);
  const [first] = replicas;
  if (first === undefined || state.memory.drain.foreignCostsTold === true) return [];
  const who = `${count(replicas.length, 'replica')} ${replicas.length === 1 ? 'has' : 'have'} a ${DELETION_COST_ANNOTATION}`;
  const note =
    `${who} that is not the operator's (${first.name}: ${first.foreignCost}); it stays, and chooses between replicas ` +
    'that are equal otherwise, until the replica is proven idle: then the operator sets its own';
  return [{ type: 'Warning', reason: 'ForeignDeletionCost', action: 'Drain', note }];
}
