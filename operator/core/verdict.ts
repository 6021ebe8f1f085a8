import { GENERATION_ANNOTATION, RENDERING_ANNOTATION } from '../api/names.ts';
import type { FailureVerdict } from './apply-failure.ts';
import { isRolledOut } from './bounds/removal.ts';
import type { Verdict } from './conditions.ts';
import type { Action } from './decision.ts';
import type { Care } from './health/look-after.ts';
import { sayBudget, sayDependencies } from './health/say.ts';
import type { QueueView } from './queue-view.ts';
import type { DeploymentView, PoolState } from './state.ts';
import type { Target } from './target.ts';

type VerdictInput = Readonly<{
  state: PoolState;
  queue: QueueView;
  deployment: DeploymentView | null;
  target: Target;
  care: Care;
  action: Action | undefined;
  stalled: Verdict['stalled'];
  failing: FailureVerdict | undefined;
}>;

/** What the conditions are to say of a pool that nothing stands in the way of. */
export function verdictOf({ state, queue, deployment, target, care, action, stalled, failing }: VerdictInput): Verdict {
  const { mode } = state.pool.spec;
  const reconciling = mode === 'Auto' ? reconcilingBecause(deployment, action, wasReady(state)) : undefined;
  return {
    ...(reconciling === undefined ? {} : { reconciling }),
    ...(mode === 'Auto' ? {} : { ready: { reason: mode, message: `nothing is to be applied: spec.mode is ${mode}` } }),
    ...(target.held === undefined ? {} : { scalingHeld: target.held }),
    ...failing,
    ...(stalled === undefined ? {} : { stalled }),
    queue,
    dependencies: sayDependencies(care),
    restartBudget: sayBudget(care),
  };
}

/** Ready at this generation of the pool: what is applied from then on is a number. */
function wasReady({ pool }: PoolState): boolean {
  const ready = pool.status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' && ready.observedGeneration === pool.generation;
}

/** What a Deployment was rendered from; another leader's mark is no new generation. */
const RENDERED_FROM = [RENDERING_ANNOTATION, GENERATION_ANNOTATION] as const;

function reconcilingBecause(
  deployment: DeploymentView | null,
  action: Action | undefined,
  wasReady: boolean,
): Verdict['reconciling'] {
  const rendered = action?.manifest.metadata.annotations;
  const changed = RENDERED_FROM.some(
    (name) => rendered !== undefined && deployment?.annotations[name] !== rendered[name],
  );
  if (deployment === null || changed) return { reason: 'Applying', message: 'the Deployment is being applied' };
  if (isRolledOut(deployment)) return undefined;
  const { updated, replicas } = deployment.status;
  // The counts are older than the last change, which was one of the number: scaling is no new generation.
  if (wasReady && updated === replicas) return undefined;
  return { reason: 'RollingOut', message: `${updated} of ${replicas} replicas are of the current template` };
}
