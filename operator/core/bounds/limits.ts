import type { Rule } from './bound.ts';
import { floors } from './floors.ts';
import { queueCaps } from './queue-caps.ts';

const maxReplicas: Rule = (replicas, { state }) => {
  const to = state.pool.spec.scaling.maxReplicas;
  if (replicas <= to) return undefined;
  return { to, reason: 'HeldToMaximum', clause: `held to ${to} by maxReplicas` };
};

/** From what the queue needs to what the pool asks for: the queue's own caps first, then the floors, the maximum last. */
export const limits: readonly Rule[] = [...queueCaps, ...floors, maxReplicas];
