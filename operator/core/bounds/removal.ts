import type { DecisionReason } from '../because.ts';
import type { Drain } from '../drain/drain-to.ts';
import { sayDraining } from '../drain/outcome.ts';
import { sayUntold } from '../drain/silence.ts';
import type { DrainPlan } from '../drain/steps.ts';
import type { Millis } from '../known.ts';
import { count } from '../sentence.ts';
import type { DeploymentView } from '../state.ts';
import type { BoundContext, Rule } from './bound.ts';

type Guard = Readonly<{ reason: DecisionReason; because: string }>;

/** A guard asks whether anything may be removed now; `because` is why not. */
const guarding =
  (guard: (context: BoundContext) => Guard | undefined): Rule =>
  (replicas, context) => {
    const { current } = context;
    const held = replicas < current ? guard(context) : undefined;
    if (held === undefined) return undefined;
    const clause = `${held.because}, so ${current} stay instead of ${replicas}`;
    return { to: current, reason: held.reason, clause };
  };

/** The ReplicaSet picks its victims without asking who works: nothing is taken away while any job runs. */
const runningJobs =
  (undrainable: string) =>
  ({ state, queue }: BoundContext): Guard | undefined => {
    const replicas = state.replicas.ok ? state.replicas.value : [];
    const reported = replicas.reduce((sum, { report }) => sum + (report.ok ? report.value.active : 0), 0);
    const active = Math.max(queue.active, reported);
    if (active === 0 && state.replicas.ok) return undefined;
    const because = state.replicas.ok
      ? `${count(active, 'job')} still ${active === 1 ? 'runs' : 'run'}`
      : 'the replicas cannot be seen';
    const why = state.drain === undefined ? '' : ` (one by one they cannot go: ${undrainable})`;
    return { reason: 'HeldByRunningJobs', because: `${because}${why}` };
  };

/** Of replicas that cannot be told, Redis must have no active job of anybody, in this very pass; and none may say that it works. */
function activeJobs({ state: { drain } }: BoundContext): Guard | undefined {
  if (drain === undefined) return undefined;
  const said = Object.values(drain.answers).reduce((sum, answer) => sum + (answer.ok ? answer.value.active : 0), 0);
  const active = Math.max(said, drain.activeJobs.ok ? drain.activeJobs.value.total : 0);
  if (active === 0 && drain.activeJobs.ok) return undefined;
  const because =
    active > 0 || drain.activeJobs.ok
      ? `${count(active, 'job')} still ${active === 1 ? 'runs' : 'run'}`
      : `Redis does not say who works: ${drain.activeJobs.because}`;
  return { reason: 'HeldByRunningJobs', because };
}

/** A Deployment splits a decrement over its ReplicaSets. */
function rollout({ deployment }: BoundContext): Guard | undefined {
  if (deployment === null || isRolledOut(deployment)) return undefined;
  const because = isBehind(deployment) ? 'Kubernetes has yet to follow the last change' : 'a rollout is under way';
  return { reason: 'HeldByRollout', because };
}

/** The plan waits for Kubernetes itself, and says so: each lower number on the way down would be another reason for a moment. */
const rolloutAlone = (context: BoundContext): Guard | undefined =>
  context.deployment !== null && isBehind(context.deployment) ? undefined : rollout(context);

/** The counts of its status are older than its last change. */
const isBehind = ({ generation, observedGeneration }: DeploymentView): boolean => observedGeneration < generation;

/** A start that takes longer is one that fails; such a replica holds nothing up. */
const START_LIMIT_MS: Millis = 60_000;

/**
 * A process that has just begun may not hear SIGTERM yet: Node as the first process of a container ignores it until its
 * handler is there, and would then work on, unseen, until its grace has passed. It is removed once it is ready.
 */
function starting({ state: { replicas, now } }: BoundContext): Guard | undefined {
  const young = (replicas.ok ? replicas.value : []).filter(
    (replica) => !replica.ready && !replica.terminating && now - replica.createdAt < START_LIMIT_MS,
  );
  if (young.length === 0) return undefined;
  const because = `${count(young.length, 'replica')} ${young.length === 1 ? 'is' : 'are'} starting`;
  return { reason: 'HeldByStart', because };
}

/** Every replica is of the template that was applied last. */
export const isRolledOut = (deployment: DeploymentView): boolean =>
  !isBehind(deployment) && deployment.status.updated === deployment.status.replicas;

/** Of replicas that can be told to take no new job, those go that are proven idle. */
const draining =
  (plan: DrainPlan): Rule =>
  (replicas, { current }) => {
    const to = plan.lower?.replicas ?? current;
    if (replicas >= current || to === replicas) return undefined;
    const { reason, because } = sayDraining(plan);
    return { to, reason, clause: `${because}, so ${to} stay instead of ${replicas}` };
  };

/**
 * What may be taken away at this moment, out of what the pool is steered down to. Where the replicas cannot be told to take
 * no new job, only when none runs one.
 */
export function removalRules(drain: Drain): readonly Rule[] {
  if (!('plan' in drain)) return untold(drain.because);
  const { silence } = drain.plan.memory;
  if (silence?.isLong !== true || drain.plan.lower !== undefined) return [guarding(rolloutAlone), draining(drain.plan)];
  return [...untold(sayUntold(silence)), guarding(activeJobs)];
}

const untold = (because: string): readonly Rule[] => [
  guarding(runningJobs(because)),
  guarding(rollout),
  guarding(starting),
];
