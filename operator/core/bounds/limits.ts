import type { Rule } from './bound.ts';
import { queueCaps } from './queue-caps.ts';

const minReplicas: Rule = (replicas, { state }) => {
  const floor = state.pool.spec.scaling.minReplicas;
  if (replicas >= floor) return undefined;
  const to = Math.min(floor, state.pool.spec.scaling.maxReplicas);
  return { to, reason: 'RaisedToMinimum', clause: `raised to ${to} by minReplicas` };
};

const maxReplicas: Rule = (replicas, { state }) => {
  const to = state.pool.spec.scaling.maxReplicas;
  if (replicas <= to) return undefined;
  return { to, reason: 'HeldToMaximum', clause: `held to ${to} by maxReplicas` };
};

/** From what the queue needs to what the pool asks for: the queue's own caps first, then the floors, the maximum last. */
export const limits: readonly Rule[] = [...queueCaps, minReplicas, maxReplicas];
