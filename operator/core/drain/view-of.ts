import { GENERATION_ANNOTATION, REDIS_URL_ANNOTATION } from '../../api/names.ts';
import { fenceOf, isFenced } from '../fencing.ts';
import type { Millis } from '../known.ts';
import { unknown } from '../known.ts';
import { urlMarkFor } from '../redis-url-mark.ts';
import { isDrainable } from '../rendering.ts';
import type { DeploymentView, DrainFacts, PoolState, ReplicaView } from '../state.ts';
import { costOf } from './foreign-cost.ts';
import { lostLabels, ownerOf, standingOf } from './labels.ts';
import type { DrainReplica, DrainView } from './view.ts';

/** A start that takes longer is one that fails; such a replica may go, and holds nothing up. */
const START_LIMIT_MS: Millis = 60_000;

/** What a drain of this pool would look at, or why its replicas cannot be told to take no new job. */
export type Drainability = Readonly<{ view: DrainView }> | Readonly<{ because: string }>;

export function drainabilityOf(
  state: PoolState,
  { deployment, wanted, failed }: Readonly<{ deployment: DeploymentView; wanted: number; failed: readonly string[] }>,
): Drainability {
  const { drain, memory, pool, replicas, replicaSets, now, epoch } = state;
  if (drain === undefined) return { because: 'nobody can be told to take no new job' };
  const because = cannotDrain(state, drain, deployment);
  if (because !== undefined) return { because };
  if (!replicas.ok) return { because: replicas.because };
  if (!replicaSets.ok) return { because: replicaSets.because };
  const sets = replicaSets.value.filter(({ ownerUid }) => ownerUid === deployment.uid);
  return {
    view: {
      now,
      epoch,
      // A new template is a rollout in the making: nothing is lowered in the write that begins it.
      wanted: rendersAnew(state, deployment) ? Math.max(wanted, deployment.replicas) : wanted,
      deployment: {
        resourceVersion: deployment.resourceVersion,
        replicas: deployment.replicas,
        generation: deployment.generation,
        observedGeneration: deployment.observedGeneration,
        fenced: isFenced(deployment, { fence: fenceOf(state), applied: memory.applied }),
        behind: isBehind(state, deployment),
      },
      replicaSets: sets,
      refused: deployment.refusedBecause !== undefined,
      asked: drain.asked,
      replicas: replicas.value.flatMap((replica) => {
        const template = ownerOf(replica, sets)?.labels;
        return template === undefined || !counts(replica) ? [] : [drainReplica(replica, { state, drain, template })];
      }),
      failed: new Set(failed),
      activeJobs: drain.activeJobs,
      memory: memory.drain,
      timeoutMs: pool.spec.drain.timeoutMs,
      onTimeout: pool.spec.drain.onTimeout,
    },
  };
}

/** The next apply brings another template: of a changed pool, or of a rotated Redis URL. */
function rendersAnew(state: PoolState, deployment: DeploymentView): boolean {
  const { annotations } = deployment;
  const url = urlMarkFor(state, deployment);
  const isRotated = url !== undefined && url.digest !== annotations[REDIS_URL_ANNOTATION];
  return isRotated || annotations[GENERATION_ANNOTATION] !== String(state.pool.generation);
}

function cannotDrain(
  { replicas, memory }: PoolState,
  { token }: DrainFacts,
  deployment: DeploymentView,
): string | undefined {
  if (!isDrainable(deployment)) {
    return 'the replicas are of a time before they could be told to take no new job: any change of the spec brings new ones';
  }
  if (token === 'missing') return memory.drain.tokenRefused?.because ?? 'the token for the replicas is being made';
  if (token !== 'present') return token.because;
  const { absent } = memory.drain;
  const isThere =
    replicas.ok && replicas.value.filter(counts).some(({ templateHash }) => templateHash === absent?.template);
  return isThere ? absent?.because : undefined;
}

/** Only what this leader wrote last, and nobody has changed since, is known to be what the controllers work on. */
const isBehind = ({ memory: { applied } }: PoolState, { uid, generation }: DeploymentView): boolean =>
  applied === undefined || applied.uid !== uid || applied.generation !== generation;

/** Whom the ReplicaSet counts (`IsPodActive`). */
const counts = ({ phase, terminating }: ReplicaView): boolean =>
  !terminating && phase !== 'Succeeded' && phase !== 'Failed';

function drainReplica(
  replica: ReplicaView,
  {
    state: { now, memory },
    drain,
    template,
  }: Readonly<{ state: PoolState; drain: DrainFacts; template: Readonly<Record<string, string>> }>,
): DrainReplica {
  const { name, uid, createdAt, ready, mark, foreignCost } = replica;
  const answer = drain.answers[uid] ?? unknown('it was not asked');
  const cordoned = memory.drain.cordons[uid] !== undefined || (answer.ok && answer.value.cordoned);
  const running = replica.node !== undefined && replica.phase === 'Running';
  const isLate = !running && now - createdAt >= START_LIMIT_MS;
  const cannotStart = replica.cannotStart ?? (isLate ? 'it has not started within a minute' : undefined);
  return {
    name,
    uid,
    createdAt,
    running,
    ready,
    restarts: replica.worker.restarts,
    ...(cannotStart === undefined ? {} : { cannotStart }),
    ...standingOf({ mark, lost: lostLabels(replica, template), cordoned }),
    ...(foreignCost === undefined ? {} : { foreignCost: costOf(foreignCost) }),
    answer,
  };
}
