import { EPOCH_ANNOTATION } from '../api/names.ts';
import type { DeploymentView } from './state.ts';

/**
 * A write that a deposed leader decided on is refused only if the object has changed since. So the first apply of a new
 * leader changes every Deployment that has replicas, by its mark, even where nothing else is to change. At zero there
 * is nothing that a late write could take away: such a pool costs a new leader no write.
 */
export const isMarked = (deployment: DeploymentView | null, epoch: string): boolean =>
  deployment === null || deployment.replicas === 0 || deployment.annotations[EPOCH_ANNOTATION] === epoch;

/** The mark that an apply carries; what was left out would be taken away, so an older one is said again. */
export function markFor(
  deployment: DeploymentView | null,
  { replicas, epoch }: Readonly<{ replicas: number; epoch: string }>,
): string | undefined {
  const hasReplicas = replicas > 0 || (deployment?.replicas ?? 0) > 0;
  return hasReplicas ? epoch : deployment?.annotations[EPOCH_ANNOTATION];
}
