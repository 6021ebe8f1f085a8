import type { Deletion } from '../core/decision.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict } from '../kube/errors.ts';
import { type ObjectRef, pods } from '../kube/resources.ts';

/** `gone`: somebody else was faster. `conflict`: the pod has changed since it was looked at. */
export type DeleteOutcome = 'deleted' | 'gone' | 'conflict';

/** Deletes one pod, if it is still the very one that was decided on. Network errors are thrown. */
export async function deleteReplica(
  client: KubeClient,
  { namespace }: Pick<ObjectRef, 'namespace'>,
  { deletion, signal }: Readonly<{ deletion: Deletion; signal: AbortSignal }>,
): Promise<DeleteOutcome> {
  const { name, uid, resourceVersion, graceSeconds } = deletion;
  try {
    return await client.deleteWithPreconditions(
      pods,
      { namespace, name },
      { uid, resourceVersion, gracePeriodSeconds: graceSeconds, signal },
    );
  } catch (error) {
    if (isConflict(error)) return 'conflict';
    throw error;
  }
}
