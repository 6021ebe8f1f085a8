import type { Deletion } from '../decision.ts';
import type { PoolState } from '../state.ts';
import type { Care } from './look-after.ts';

/** Of the replica whose retry stands in the status, at the version that was looked at. */
export function deletionOf({ replicas }: PoolState, { plan }: Care): Deletion | undefined {
  const { delete: deletion } = plan;
  if (deletion === undefined || !replicas.ok) return undefined;
  const replica = replicas.value.find(({ uid }) => uid === deletion.uid);
  return replica === undefined ? undefined : { ...deletion, resourceVersion: replica.resourceVersion };
}
