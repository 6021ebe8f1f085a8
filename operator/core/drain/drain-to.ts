import type { DeploymentView, PoolState } from '../state.ts';
import { planDrain } from './plan.ts';
import type { DrainPlan } from './steps.ts';
import { drainabilityOf } from './view-of.ts';

type At = Readonly<{ state: PoolState; deployment: DeploymentView | null; failed?: readonly string[] | undefined }>;

/**
 * The plan that leads to a number of replicas, or why the replicas can be told nothing. `failed`: UIDs of those that are to
 * take no new job whatever the number is.
 */
export type Drain = Readonly<{ plan: DrainPlan }> | Readonly<{ because: string }>;

export function drainTo(wanted: number, { state, deployment, failed = [] }: At): Drain {
  if (deployment === null || deployment.ownerUid !== state.pool.uid) return { because: 'there is no Deployment' };
  const drainability = drainabilityOf(state, { deployment, wanted, failed });
  return 'view' in drainability ? { plan: planDrain(drainability.view) } : drainability;
}
