import { EPOCH_ANNOTATION } from '../api/names.ts';
import type { Applied } from './scale-memory.ts';
import type { DeploymentView, PoolState } from './state.ts';

/** The mark that this leader puts on the Deployment: a new one after each write that went unanswered. */
export const fenceOf = ({ epoch, memory }: Pick<PoolState, 'epoch' | 'memory'>): string =>
  memory.drain.fences === 0 ? epoch : `${epoch}.${memory.drain.fences}`;

/**
 * A write that a deposed leader decided on is refused only if the object has changed since: what this leader has marked,
 * or raised, no earlier write can change any more.
 */
export const isFenced = (
  { annotations, uid }: DeploymentView,
  { fence, applied }: Readonly<{ fence: string; applied: Applied | undefined }>,
): boolean => annotations[EPOCH_ANNOTATION] === fence || (applied?.uid === uid && applied.raisedUnder === fence);

/**
 * The first apply of a new leader changes every Deployment that has replicas, by its mark, even where nothing else is to
 * change. At zero there is nothing that a late write could take away: such a pool costs a new leader no write.
 */
export const needsMark = (
  deployment: DeploymentView,
  by: Readonly<{ fence: string; applied: Applied | undefined }>,
): boolean => deployment.replicas > 0 && !isFenced(deployment, by);

/** The mark that an apply carries; what was left out would be taken away, so an older one is said again. */
export function markFor(
  deployment: DeploymentView | null,
  { replicas, fence }: Readonly<{ replicas: number; fence: string }>,
): string | undefined {
  const hasReplicas = replicas > 0 || (deployment?.replicas ?? 0) > 0;
  return hasReplicas ? fence : deployment?.annotations[EPOCH_ANNOTATION];
}
