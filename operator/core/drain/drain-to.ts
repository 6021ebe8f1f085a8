import type { DeploymentView, PoolState } from '../state.ts';
import { planDrain } from './plan.ts';
import type { DrainPlan } from './steps.ts';
import { drainabilityOf } from './view-of.ts';

/** The plan that leads to a number of replicas, or why the replicas can be told nothing. */
export type Drain = Readonly<{ plan: DrainPlan }> | Readonly<{ because: string }>;

export function drainTo(
  wanted: number,
  { state, deployment }: Readonly<{ state: PoolState; deployment: DeploymentView | null }>,
): Drain {
  if (deployment === null || deployment.ownerUid !== state.pool.uid) return { because: 'there is no Deployment' };
  const drainability = drainabilityOf(state, { deployment, wanted });
  return 'view' in drainability ? { plan: planDrain(drainability.view) } : drainability;
}
