import { deploymentBeside, isBeside } from './beside.ts';
import type { Because } from './because.ts';
import type { Millis } from './known.ts';
import { asOneLine } from './sentence.ts';
import type { PoolState, Rival } from './state.ts';

/** Why nothing at all may be applied for this pool now. `stalled`: a person must act. */
export type Obstacle = Readonly<{ because: Because; stalled: boolean }>;

type Check = (state: PoolState) => Obstacle | undefined;

/** The guards in the order in which they are asked; the first that stands in the way is the reason. */
const checks: readonly Check[] = [
  beingDeleted,
  queueTaken,
  clusterUnknown,
  deploymentMissing,
  nameTaken,
  deploymentTerminating,
  refused,
];

export function findObstacle(state: PoolState): Obstacle | undefined {
  for (const check of checks) {
    const obstacle = check(state);
    if (obstacle !== undefined) return obstacle;
  }
  return undefined;
}

/** The garbage collector removes the Deployment, or leaves it with `--cascade=orphan`; the workers' jobs end first. */
function beingDeleted({ pool }: PoolState): Obstacle | undefined {
  if (pool.deletionAt === undefined) return undefined;
  return { because: { reason: 'Deleting', message: 'the pool is being deleted' }, stalled: false };
}

/** Two pools on one queue would size it twice: the older works, the younger says so. */
function queueTaken({ pool, rivals }: PoolState): Obstacle | undefined {
  const older = rivals.find((rival) => isOlder(rival, pool));
  if (older === undefined) return undefined;
  const message = `pool ${older.namespace}/${older.name} is older and works on queue ${pool.spec.queue.name} of the same Redis: delete one of the two, or give this one another queue`;
  return { because: { reason: 'QueueTaken', message }, stalled: true };
}

const isOlder = (rival: Rival, pool: PoolState['pool']): boolean =>
  rival.createdAt === pool.createdAt ? rival.uid < pool.uid : rival.createdAt < pool.createdAt;

function clusterUnknown({ deployment }: PoolState): Obstacle | undefined {
  if (deployment.ok) return undefined;
  return { because: { reason: 'ClusterUnknown', message: deployment.because }, stalled: false };
}

function deploymentMissing({ pool, deployment }: PoolState): Obstacle | undefined {
  const name = deploymentBeside(pool);
  if (name === undefined || !deployment.ok || deployment.value !== null) return undefined;
  const message = `there is no Deployment ${name} in namespace ${pool.namespace}: correct spec.workers.deploymentName, or remove it`;
  return { because: { reason: 'DeploymentNotFound', message }, stalled: true };
}

function nameTaken({ pool, deployment }: PoolState): Obstacle | undefined {
  if (isBeside(pool) || !deployment.ok || deployment.value === null || deployment.value.ownerUid === pool.uid)
    return undefined;
  const message = `a Deployment ${pool.name} exists that is not this pool's: rename the pool, or delete that Deployment`;
  return { because: { reason: 'NameTaken', message }, stalled: true };
}

/** It cannot be applied to, and it cannot be made again before it is gone. */
function deploymentTerminating({ pool, deployment }: PoolState): Obstacle | undefined {
  if (isBeside(pool) || !deployment.ok || deployment.value?.terminating !== true) return undefined;
  return {
    because: { reason: 'ClusterUnknown', message: 'waiting until the deleted Deployment is gone' },
    stalled: false,
  };
}

/** A quota or a policy can change without the pool: what was refused is tried again, seldom. */
const REFUSAL_LASTS_MS: Millis = 6 * 60_000;

function refused({ pool, memory, now }: PoolState): Obstacle | undefined {
  const { refusal } = memory;
  if (refusal === undefined || refusal.generation !== pool.generation || now >= refusal.at + REFUSAL_LASTS_MS)
    return undefined;
  const message = `the API server refuses the Deployment: ${asOneLine(refusal.because, 600)}. Correct spec.workers.template; running workers are left as they are`;
  return { because: { reason: 'TemplateRefused', message }, stalled: true };
}
