import type { Action } from './decision.ts';
import { renderDeployment, templateKey } from './deployment.ts';
import { fenceOf } from './drain/view-of.ts';
import { isMarked, markFor } from './fencing.ts';
import { urlMarkFor } from './redis-url-mark.ts';
import { renderingFor } from './rendering.ts';
import type { DeploymentView, PoolState } from './state.ts';

/** One apply of the whole Deployment, when what was applied last is not what should be, or is no longer what is there. */
export function applyAction(
  state: PoolState,
  { deployment, replicas }: Readonly<{ deployment: DeploymentView | null; replicas: number }>,
): Action | undefined {
  const { pool, memory } = state;
  const { applied } = memory;
  const epoch = fenceOf(state);
  const mark = markFor(deployment, { replicas, epoch });
  const redisUrl = urlMarkFor(state, deployment);
  const manifest = renderDeployment(pool, {
    replicas,
    rendering: renderingFor(pool, deployment),
    ...(mark === undefined ? {} : { mark }),
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(deployment === null ? {} : { resourceVersion: deployment.resourceVersion }),
  });
  const key = templateKey(manifest);
  const asApplied = applied !== undefined && applied.templateKey === key && applied.replicas === replicas;
  const asSeen =
    deployment !== null &&
    applied !== undefined &&
    deployment.uid === applied.uid &&
    deployment.generation <= applied.generation;
  return asApplied && asSeen && isMarked(deployment, epoch) ? undefined : { kind: 'apply', manifest, templateKey: key };
}
