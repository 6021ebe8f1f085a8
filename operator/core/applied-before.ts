import { EPOCH_ANNOTATION } from '../api/names.ts';
import type { PoolStatus } from '../api/pool.ts';
import type { Manifest } from './manifest.ts';
import type { Applied } from './scale-memory.ts';
import type { DeploymentView, PoolState } from './state.ts';

type Claim = NonNullable<PoolStatus['deployment']>;
type Remembered = Pick<PoolState, 'memory' | 'pool'>;

/**
 * What the status keeps for the next leader: at this generation of the Deployment with this UID, this template was what
 * the operator had applied. That stays true whatever happens later, since the API server adds one to the generation with
 * every change of spec or annotations: a status that is old costs an apply, and never lets one be left out. Only what the
 * API server has answered to an apply is said; the generation after a raise is worked out, and a raise is not the last write
 * before zero.
 */
export function claimOf({ memory: { applied }, pool }: Remembered): Claim | undefined {
  if (applied === undefined || applied.raisedUnder !== undefined) return pool.status?.deployment;
  const { uid, generation, templateKey } = applied;
  return { uid, generation, template: templateKey };
}

/** There was a Deployment of this pool, whoever made it. */
export const wasMade = ({ memory, pool }: Remembered): boolean =>
  memory.applied !== undefined || pool.status?.deployment !== undefined;

/**
 * What an earlier leader has applied, by the status, where the Deployment is still exactly that, and at zero: one that
 * has replicas gets the mark of this leader, and with it the whole. What can change without adding to the generation (labels,
 * and annotations by the Deployment's status) is compared itself.
 */
export function appliedBefore(
  { pool }: Pick<PoolState, 'pool'>,
  { deployment, manifest }: Readonly<{ deployment: DeploymentView; manifest: Manifest }>,
): Applied | undefined {
  const claim = pool.status?.deployment;
  const { uid, generation, replicas } = deployment;
  if (claim?.uid !== uid || claim.generation !== generation || replicas > 0) return undefined;
  return hasMetadataOf(manifest, deployment) ? { uid, generation, replicas, templateKey: claim.template } : undefined;
}

function hasMetadataOf({ metadata }: Manifest, { labels, annotations }: DeploymentView): boolean {
  const { [EPOCH_ANNOTATION]: _mark, ...rendered } = metadata.annotations;
  return isWithin(rendered, annotations) && isWithin(metadata.labels, labels);
}

const isWithin = (wanted: Readonly<Record<string, string>>, found: Readonly<Record<string, string>>): boolean =>
  Object.entries(wanted).every(([name, value]) => found[name] === value);
