import { DELETION_COST_ANNOTATION, PROVEN_IDLE_ANNOTATION, SERVING_LABEL } from '../api/names.ts';
import { LOWEST_COST } from '../core/drain/foreign-cost.ts';
import { writeMark } from '../core/drain/mark-text.ts';
import type { Mark } from '../core/drain/view.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { pods } from '../kube/resources.ts';

export type MarkTarget = Readonly<{ namespace: string; name: string; uid: string; resourceVersion: string }>;

/**
 * In one write, on the version of the pod that was looked at: the cost, the proof, one less in the ReplicaSet's count, and
 * leave for those who empty nodes; or all of it back. A conflict is no failure: it is looked at and decided again.
 */
export async function markReplica(
  client: KubeClient,
  target: MarkTarget,
  {
    mark,
    evictions,
    signal,
  }: Readonly<{ mark: Mark | undefined; evictions: Readonly<Record<string, string>>; signal: AbortSignal }>,
): Promise<'written' | 'conflict'> {
  const isLeaving = mark !== undefined;
  const eviction = Object.entries(evictions).map(([name, value]) => [name, isLeaving ? null : value]);
  return write(client, {
    signal,
    metadata: {
      ...target,
      labels: { [SERVING_LABEL]: isLeaving ? null : 'true' },
      annotations: {
        [DELETION_COST_ANNOTATION]: isLeaving ? String(LOWEST_COST) : null,
        [PROVEN_IDLE_ANNOTATION]: isLeaving ? writeMark(mark) : null,
        ...Object.fromEntries(eviction),
      },
    },
  });
}

/** Labels of its template that somebody took from a replica, or changed; on the version that was looked at. */
export const labelReplica = (
  client: KubeClient,
  target: MarkTarget,
  { labels, signal }: Readonly<{ labels: Readonly<Record<string, string>>; signal: AbortSignal }>,
): Promise<'written' | 'conflict'> => write(client, { metadata: { ...target, labels }, signal });

type Metadata = MarkTarget &
  Readonly<{ labels: Readonly<Record<string, string | null>>; annotations?: Readonly<Record<string, string | null>> }>;

async function write(
  client: KubeClient,
  { metadata, signal }: Readonly<{ metadata: Metadata; signal: AbortSignal }>,
): Promise<'written' | 'conflict'> {
  try {
    await client.mergePatch(pods, { metadata }, { signal });
    return 'written';
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return 'conflict';
    throw error;
  }
}
