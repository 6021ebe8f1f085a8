import { POOL_LABEL } from '../api/names.ts';
import { appliedBefore } from './applied-before.ts';
import type { Action } from './decision.ts';
import { renderDeployment, templateKey } from './deployment.ts';
import { fenceOf, markFor, needsMark } from './fencing.ts';
import { urlMarkFor } from './redis-url-mark.ts';
import { renderingFor } from './rendering.ts';
import type { Applied } from './scale-memory.ts';
import type { DeploymentView, PoolState } from './state.ts';

type Scale = Readonly<{ deployment: DeploymentView | null; replicas: number }>;

/** One apply of the whole Deployment, when what was applied last is not what should be, or is no longer what is there. */
export function applyAction(state: PoolState, scale: Scale): Action | undefined {
  const { deployment, replicas } = scale;
  const action = applyOfWhole(state, scale);
  if (deployment === null) return action;
  const fence = fenceOf(state);
  const applied = state.memory.applied ?? appliedBefore(state, { deployment, manifest: action.manifest });
  if (applied === undefined || !isAsApplied(deployment, applied) || !isWatched(deployment, action)) return action;
  if (applied.templateKey !== action.templateKey || needsMark(deployment, { fence, applied })) return action;
  if (applied.replicas === replicas) return undefined;
  const isRaise = deployment.generation === applied.generation && replicas > deployment.replicas;
  if (!isRaise) return action;
  // What costs the API server half of an apply, which is what a burst on many pools waits for.
  const { uid, resourceVersion, generation } = deployment;
  return { ...action, raise: { uid, resourceVersion, generation, fence } };
}

function applyOfWhole(state: PoolState, { deployment, replicas }: Scale): Action {
  const mark = markFor(deployment, { replicas, fence: fenceOf(state) });
  const redisUrl = urlMarkFor(state, deployment);
  const manifest = renderDeployment(state.pool, {
    replicas,
    rendering: renderingFor(state.pool, deployment),
    ...(mark === undefined ? {} : { mark }),
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(deployment === null ? {} : { resourceVersion: deployment.resourceVersion }),
  });
  return { kind: 'apply', manifest, templateKey: templateKey(manifest) };
}

/** Nobody has changed it since; the watch may not show the last apply yet. */
const isAsApplied = ({ uid, generation }: DeploymentView, applied: Applied): boolean =>
  uid === applied.uid && generation <= applied.generation;

/**
 * Labels add nothing to the generation, and one counts: by it the watch knows the Deployment as this pool's. Without it,
 * it is read now and then, and looks gone in between.
 */
const isWatched = ({ labels }: DeploymentView, { manifest }: Action): boolean =>
  labels[POOL_LABEL] === manifest.metadata.labels[POOL_LABEL];
