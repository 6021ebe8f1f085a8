import type { PoolStatus } from '../api/pool.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import type { ResourceType } from '../kube/resources.ts';

export type StatusTarget = Readonly<{
  type: ResourceType;
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
}>;

/** A conflict: the pool has changed, or is gone, since it was read. */
export type StatusOutcome = 'written' | 'conflict';

/** Replaces the whole status, on the version that it was decided from. Network errors are thrown. */
export async function writeStatus(
  client: KubeClient,
  target: StatusTarget,
  status: PoolStatus,
): Promise<StatusOutcome> {
  const { type, namespace, name, uid, resourceVersion } = target;
  const body = { metadata: { namespace, name, uid, resourceVersion }, status };
  try {
    await client.replaceStatus(type, body);
    return 'written';
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return 'conflict';
    throw error;
  }
}
