import type { Verdict } from './conditions.ts';
import type { Millis } from './known.ts';
import { firstLine } from './sentence.ts';
import type { DeploymentView, PoolState, RedisTrouble } from './state.ts';

type Stalled = NonNullable<Verdict['stalled']>;

const NEEDS_A_PERSON: ReadonlySet<RedisTrouble> = new Set([
  'SecretNotFound',
  'SecretKeyMissing',
  'SecretForbidden',
  'RedisUrlInvalid',
  'RedisAuthFailed',
]);

/** The way to Redis is broken where only a person can mend it. */
export const needsPerson = (redis: PoolState['redis']): boolean => !redis.ok && NEEDS_A_PERSON.has(redis.trouble);

/** What of this pool only a person can mend, although it may be applied; undefined when there is nothing. */
export function stalledBy({ redis, replicas, now }: PoolState, deployment: DeploymentView | null): Stalled | undefined {
  if (!redis.ok && needsPerson(redis)) return { reason: redis.trouble, message: redis.because };
  return (
    (deployment === null ? undefined : stalledDeployment(deployment)) ??
    noneStarts(replicas) ??
    noneScheduled(replicas, now)
  );
}

function stalledDeployment({ stuckBecause, refusedBecause }: DeploymentView): Stalled | undefined {
  if (stuckBecause !== undefined) {
    const message = `the rollout cannot finish: ${stuckBecause}. Correct spec.workers.template; old replicas stay, and scale-down waits for it`;
    return { reason: 'RolloutStuck', message };
  }
  if (refusedBecause === undefined) return undefined;
  const message = `replicas are missing because Kubernetes refuses to make them: ${firstLine(refusedBecause, 600)}. Make room for them in the quota or policy of the namespace, or correct spec.workers.template`;
  return { reason: 'ReplicasRefused', message };
}

/** A cluster that grows takes a while to make a node: so long it is only reported. */
const NODE_TAKES_MS: Millis = 5 * 60_000;

function noneScheduled(replicas: PoolState['replicas'], now: Millis): Stalled | undefined {
  const living = replicas.ok ? replicas.value.filter(({ terminating }) => !terminating) : [];
  if (living.some(({ ready }) => ready)) return undefined;
  const first = living.find(
    ({ unscheduledBecause, createdAt }) => unscheduledBecause !== undefined && now - createdAt >= NODE_TAKES_MS,
  );
  if (first?.unscheduledBecause === undefined) return undefined;
  const message = `no node takes a replica: ${firstLine(first.unscheduledBecause, 600)}. Make room in the cluster, or ask for less in spec.workers.template`;
  return { reason: 'ReplicasUnschedulable', message };
}

/** A replica that works tells another story: of a rollout, or of one sick replica. */
function noneStarts(replicas: PoolState['replicas']): Stalled | undefined {
  const living = replicas.ok ? replicas.value.filter(({ terminating }) => !terminating) : [];
  if (living.some(({ ready }) => ready)) return undefined;
  const [first] = living.filter(({ cannotStart }) => cannotStart !== undefined);
  if (first?.cannotStart === undefined) return undefined;
  const message = `no replica can start: ${first.name}: ${firstLine(first.cannotStart, 600)}. Correct spec.workers.template, or what it names`;
  return { reason: 'ReplicasCannotStart', message };
}
