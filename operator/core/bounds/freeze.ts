import { count } from '../sentence.ts';
import type { Rule } from './bound.ts';

/**
 * While a dependency is out the number stays: more replicas would wait with the others, and fewer would be missed when
 * it is back. Where there is none and jobs wait, one may always start: the canary, which shows that all is well again.
 */
const freeze: Rule = (replicas, { freeze: frozen, current }) => {
  if (frozen === undefined) return undefined;
  const { reason, because, canary, mayLower } = frozen;
  const most = canary && current === 0 ? 1 : current;
  // Where it may be lowered, that is by the queue alone: a freeze by itself never asks for fewer than there are.
  const to = mayLower ? Math.min(replicas, most) : Math.max(current, Math.min(replicas, most));
  if (to === replicas) return undefined;
  const stay =
    to > current
      ? 'one starts to see whether it is over'
      : `${count(current, 'replica')} ${current === 1 ? 'stays' : 'stay'}`;
  return { to, reason, clause: `${stay}: ${because}` };
};

/** What the health of the pool says of its number. */
export const healthRules: readonly Rule[] = [freeze];
