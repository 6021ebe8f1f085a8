import { GROUP_VERSION, KIND, MANAGED_BY, MANAGED_BY_LABEL, POOL_LABEL } from '../api/names.ts';
import type { Pool } from '../api/parse.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, wordsOf } from '../kube/errors.ts';
import type { ResourceType } from '../kube/resources.ts';

const budgets: ResourceType = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
};

/**
 * Makes the PodDisruptionBudget of a pool, which goes with the pool: who empties a node evicts one replica at a time, and
 * one that is not healthy whenever they like. Undefined: it is there; else why not, whatever it is.
 */
export async function makeDisruptionBudget(
  client: KubeClient,
  pool: Pool,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { namespace, name, uid } = pool;
  const labels = { [POOL_LABEL]: name, [MANAGED_BY_LABEL]: MANAGED_BY };
  const owner = { apiVersion: GROUP_VERSION, kind: KIND, name, uid, controller: true };
  const body = {
    metadata: { namespace, name, labels, ownerReferences: [owner] },
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: { [POOL_LABEL]: name } },
    },
  };
  try {
    await client.create(budgets, body, { signal });
    return undefined;
  } catch (error) {
    if (isConflict(error)) return undefined;
    return `its PodDisruptionBudget cannot be made: ${wordsOf(error)}`;
  }
}
