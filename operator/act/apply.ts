import { FIELD_MANAGER } from '../core/corrections.ts';
import type { Action } from '../core/decision.ts';
import type { Applied } from '../core/scale-memory.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, isTerminalRefusal, KubeError, lacksRight, wordsOf } from '../kube/errors.ts';
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

/**
 * One server-side apply of the whole Deployment, forced: this operator is the one writer of these fields. Its
 * `resourceVersion` is the precondition; a manifest without one can only create. Never rejects.
 */
export async function applyDeployment(client: KubeClient, action: Action, signal?: AbortSignal): Promise<ApplyOutcome> {
  const { manifest, templateKey } = action;
  try {
    const { metadata, spec } = await client.apply<AppliedDeployment>(deployments, manifest, {
      fieldManager: FIELD_MANAGER,
      force: true,
      signal,
    });
    const { uid, generation } = metadata;
    return { kind: 'applied', applied: { uid, generation, replicas: spec.replicas, templateKey } };
  } catch (error) {
    if (isConflict(error)) return { kind: 'conflict' };
    if (isTerminalRefusal(error)) return { kind: 'refused', because: wordsOf(error) };
    const isNoVerdict = error instanceof KubeError && (error.status >= 500 || lacksRight(error));
    if (isNoVerdict) return { kind: 'failed', because: wordsOf(error), error };
    return { kind: 'unanswered', error };
  }
}

type AppliedDeployment = Readonly<{
  metadata: Readonly<{ uid: string; generation: number }>;
  spec: Readonly<{ replicas: number }>;
}>;
