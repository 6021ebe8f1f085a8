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

/**
 * Whether the pool's PodDisruptionBudget is to be made, where it is not there. It guards replicas: a pool that sleeps has
 * none, and a thousand of them ask for nothing.
 */
export function makesBudget({ drain, replicas, memory, now }: PoolState): boolean {
  if (drain === undefined || !replicas.ok || replicas.value.length === 0) return false;
  const { budgetAt } = memory.drain;
  return budgetAt === undefined || now >= budgetAt + BUDGET_EVERY_MS;
}
