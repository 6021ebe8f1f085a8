import type { Deletion } from '../decision.ts';
import type { PoolState } from '../state.ts';
import type { Care } from './look-after.ts';

/** Of the replica whose retry stands in the status, at the version that was looked at. */
export function deletionOf({ replicas }: PoolState, { plan }: Care): Deletion | undefined {
  const { delete: deletion } = plan;
  if (deletion === undefined || !replicas.ok) return undefined;
  const replica = replicas.value.find(({ uid }) => uid === deletion.uid);
  if (replica === undefined) return undefined;
  const { name, because } = deletion;
  const event = {
    type: 'Warning',
    reason: 'ReplicaRestarted',
    action: 'Restart',
    note: `${name} is ${because}`,
  } as const;
  return { ...deletion, resourceVersion: replica.resourceVersion, event };
}
