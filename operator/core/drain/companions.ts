import type { Millis } from '../known.ts';
import type { PoolState } from '../state.ts';

/** What was refused (a right, a quota) may be allowed later, without news. */
const AGAIN_MS: Millis = 60_000;

/** Whether the Secret with the replicas' token is to be made now. */
export function makesToken({ drain, memory, now }: PoolState): boolean {
  if (drain?.token !== 'missing') return false;
  const { tokenRefused } = memory.drain;
  return tokenRefused === undefined || now >= tokenRefused.at + AGAIN_MS;
}

/** It needs no watch: who took it away has it again after this time. */
const BUDGET_EVERY_MS: Millis = 10 * 60_000;

/** When it is due again; undefined where it was not made yet, or is not to be made. */
export const budgetDueAt = ({ drain, memory }: PoolState): Millis | undefined =>
  drain === undefined || memory.drain.budgetAt === undefined ? undefined : memory.drain.budgetAt + BUDGET_EVERY_MS;

/** Whether the pool's PodDisruptionBudget is to be made, where it is not there. */
export const makesBudget = ({ drain, memory, now }: PoolState): boolean =>
  drain !== undefined && (memory.drain.budgetAt === undefined || now >= memory.drain.budgetAt + BUDGET_EVERY_MS);
