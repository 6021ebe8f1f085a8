import type { Deletion } from '../core/decision.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, isTerminalRefusal, lacksRight, wordsOf } from '../kube/errors.ts';
import { type ObjectRef, pods } from '../kube/resources.ts';

/**
 * `gone`: somebody else was faster. `conflict`: the pod has changed since it was looked at. `refused`: a right or a policy
 * does not allow it; the pool is looked after all the same.
 */
export type DeleteOutcome = Readonly<{ kind: 'deleted' | 'gone' | 'conflict' } | { kind: 'refused'; because: string }>;

/** Deletes one pod, if it is still the very one that was decided on. Network errors are thrown. */
export async function deleteReplica(
  client: KubeClient,
  { namespace }: Pick<ObjectRef, 'namespace'>,
  { deletion, signal }: Readonly<{ deletion: Deletion; signal: AbortSignal }>,
): Promise<DeleteOutcome> {
  const { name, uid, resourceVersion, graceSeconds } = deletion;
  try {
    const grace = graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds };
    const preconditions = { uid, resourceVersion };
    return {
      kind: await client.deleteWithPreconditions(pods, { namespace, name }, { ...preconditions, ...grace, signal }),
    };
  } catch (error) {
    if (isConflict(error)) return { kind: 'conflict' };
    if (isTerminalRefusal(error) || lacksRight(error))
      return { kind: 'refused', because: `replica ${name} cannot be restarted: ${wordsOf(error)}` };
    throw error;
  }
}
