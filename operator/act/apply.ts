import { FIELD_MANAGER } from '../core/corrections.ts';
import type { Action } from '../core/decision.ts';
import type { Applied } from '../core/scale-memory.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, isNotFound, isTerminalRefusal, KubeError, lacksRight, wordsOf } from '../kube/errors.ts';
import { deployments } from '../kube/resources.ts';

/**
 * What became of an apply. A conflict means that the decision was made on an older world: read and decide again.
 * `failed`: the API server answered, and could not do it now. `unanswered`: nobody knows whether it arrived, or still will.
 */
export type ApplyOutcome =
  | Readonly<{ kind: 'applied'; applied: Applied }>
  | Readonly<{ kind: 'conflict' }>
  | Readonly<{ kind: 'refused'; because: string }>
  | Readonly<{ kind: 'failed'; because: string; error: KubeError }>
  | Readonly<{ kind: 'unanswered'; error: unknown }>;

/** A raise where that is all, else one server-side apply of the whole Deployment. Never rejects. */
export async function applyDeployment(client: KubeClient, action: Action, signal?: AbortSignal): Promise<ApplyOutcome> {
  try {
    const applied = (await raiseAlone(client, action, signal)) ?? (await applyWhole(client, action, signal));
    return { kind: 'applied', applied };
  } catch (error) {
    const isGone = action.raise !== undefined && isNotFound(error);
    if (isConflict(error) || isGone) return { kind: 'conflict' };
    if (isTerminalRefusal(error)) return { kind: 'refused', because: wordsOf(error) };
    const isNoVerdict = error instanceof KubeError && (error.status >= 500 || lacksRight(error));
    if (isNoVerdict) return { kind: 'failed', because: wordsOf(error), error };
    return { kind: 'unanswered', error };
  }
}

/**
 * Forced: this operator is the one writer of these fields. The manifest's `resourceVersion` is the precondition; one
 * without can only create.
 */
async function applyWhole(
  client: KubeClient,
  { manifest, templateKey }: Action,
  signal: AbortSignal | undefined,
): Promise<Applied> {
  const { metadata, spec } = await client.apply<AppliedDeployment>(deployments, manifest, {
    fieldManager: FIELD_MANAGER,
    force: true,
    signal,
  });
  const { uid, generation } = metadata;
  return { uid, generation, replicas: spec.replicas, templateKey };
}

/**
 * The number alone, on the very version that was decided on; undefined where the whole is to be applied: more changes, or
 * the roles are those of an earlier version of the operator. A `Scale` has no generation: another number is another spec, and
 * that adds one to the generation of the version that the precondition has named.
 */
async function raiseAlone(
  client: KubeClient,
  { manifest, templateKey, raise }: Action,
  signal: AbortSignal | undefined,
): Promise<Applied | undefined> {
  if (raise === undefined) return undefined;
  const { namespace, name } = manifest.metadata;
  const { uid, resourceVersion, generation, fence } = raise;
  const { replicas } = manifest.spec;
  const body = { metadata: { namespace, name, uid, resourceVersion }, spec: { replicas } };
  try {
    await client.scale(deployments, body, { fieldManager: FIELD_MANAGER, signal });
    return { uid, generation: generation + 1, replicas, templateKey, raisedUnder: fence };
  } catch (error) {
    if (lacksRight(error)) return undefined;
    throw error;
  }
}

type AppliedDeployment = Readonly<{
  metadata: Readonly<{ uid: string; generation: number }>;
  spec: Readonly<{ replicas: number }>;
}>;
