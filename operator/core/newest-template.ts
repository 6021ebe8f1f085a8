import type { PoolState } from './state.ts';

/** Of the ReplicaSet that the Deployment brings up now; a rollback makes an old one the newest again. */
export function newestTemplateOf({
  replicaSets,
  deployment,
}: Pick<PoolState, 'replicaSets' | 'deployment'>): string | undefined {
  if (!replicaSets.ok || !deployment.ok || deployment.value === null) return undefined;
  const { uid } = deployment.value;
  const own = replicaSets.value.filter(({ ownerUid }) => ownerUid === uid);
  return own.toSorted((a, b) => b.revision - a.revision)[0]?.templateHash;
}
