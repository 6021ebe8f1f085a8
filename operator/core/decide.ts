import { wasMade } from './applied-before.ts';
import { applyAction } from './apply-action.ts';
import { failureVerdict } from './apply-failure.ts';
import { rememberRaise } from './bounds/pace.ts';
import { isBeside } from './beside.ts';
import { type Account, accountFor, type Look, openAccount } from './counterfactual/account.ts';
import { keptHours } from './counterfactual/status.ts';
import { type Corrected, correctedBy, recentCorrections } from './corrections.ts';
import type { Action, Decision } from './decision.ts';
import { decideNothing } from './decide-nothing.ts';
import { drainEvents, outcomesOf, rememberDrain } from './drain/outcome.ts';
import type { DrainPlan } from './drain/steps.ts';
import { makesBudget, makesToken } from './drain/companions.ts';
import { foreignCostEvents } from './drain/foreign-cost.ts';
import { silenceEvents } from './drain/silence.ts';
import { changeEvents, standingEvents, wayUp } from './events.ts';
import { deletionOf } from './health/deletion.ts';
import { healthEvents } from './health/events.ts';
import { type Care, lookAfter } from './health/look-after.ts';
import { holdTarget } from './hold.ts';
import { withInterruptions } from './interruptions.ts';
import { known, type Known } from './known.ts';
import { learnMeanDuration, meanRunningMs } from './mean-duration.ts';
import { learnColdStart } from './memory.ts';
import { findObstacle } from './obstacle.ts';
import { learnVanished, type QueueView, viewQueue } from './queue-view.ts';
import { paceOf, recheckAfter } from './recheck.ts';
import type { PoolEvent } from './pool-event.ts';
import type { ScaleMemory } from './scale-memory.ts';
import { stalledBy } from './stalled.ts';
import type { DeploymentView, PoolState, QueueSnapshot } from './state.ts';
import { renderStatus } from './status.ts';
import { type Decided, sleepFor } from './sleep.ts';
import { chooseTarget, type Target } from './target.ts';
import { verdictOf } from './verdict.ts';

/** All of a decision but the jobs that were interrupted, which no decision is made of. */
type Scaling = Omit<Decision, 'interruptions'>;

/** From everything that is known of a pool to what to do, and why: the same state always gives the same decision. */
export const decide = (observed: PoolState): Decision => withInterruptions(observed, decideScaling(observed));

function decideScaling(observed: PoolState): Scaling {
  const learned = { ...observed, memory: learn(observed) };
  const queue = viewQueue(learned);
  const deployment = learned.deployment.ok ? learned.deployment.value : null;
  // The replicas of a Deployment that is not the pool's are not the pool's either, unless it is told to look at them.
  const counts = deployment?.ownerUid === learned.pool.uid || isBeside(learned.pool);
  const current = counts && deployment !== null ? currentReplicas(learned.memory, deployment) : 0;
  const state = { ...learned, memory: { ...learned.memory, account: account(learned, queue.queue, current) } };
  const obstacle = findObstacle(state);
  const care = lookAfter(state, obstacle?.because.message ?? hindranceOf(state));
  const cared = { ...state, memory: { ...state.memory, health: care.memory } };
  if (obstacle !== undefined) return decideNothing(cared, { queue, current, obstacle, care });

  const input = {
    state: cared,
    queue: queue.queue,
    deployment,
    current,
    freeze: care.freeze,
    failed: care.plan.cordon,
    vanished: queue.vanished,
  };
  const target = holdTarget(chooseTarget(input), { state: cared, current });
  return decideScale(cared, { queue, deployment, current, target, care });
}

/** Where the user wants nothing to be changed, nothing is restarted either. */
const hindranceOf = ({ pool }: PoolState): string | undefined =>
  pool.spec.mode === 'Auto' ? undefined : `spec.mode is ${pool.spec.mode}`;

/** What other rules would have done with the same queue. */
function account(state: PoolState, queue: Known<QueueSnapshot>, current: number): Account {
  const { pool, now, memory } = state;
  const { minReplicas, maxReplicas } = pool.spec.scaling;
  const seen = queue.ok
    ? known({ waiting: queue.value.paused ? 0 : queue.value.ready, active: queue.value.active }, queue.at)
    : queue;
  const look: Look = { now, queue: seen, current, slots: pool.spec.workers.concurrency, minReplicas, maxReplicas };
  return memory.account === undefined ? openAccount(look, keptHours(pool.status)) : accountFor(memory.account, look);
}

/** Everything that one look teaches, obstacle or not. */
function learn(state: PoolState): ScaleMemory {
  const { replicas, now } = state;
  const { vanishedSince: _since, ...before } = state.memory;
  const memory = { ...before, ...learnVanished(state) };
  if (!replicas.ok) return memory;
  const coldStart = learnColdStart(memory, replicas.value);
  const { meanRunning: _running, ...kept } = memory;
  const meanRunning = meanRunningMs(replicas.value);
  return {
    ...kept,
    ...learnMeanDuration(memory, replicas.value, now),
    ...(meanRunning === undefined ? {} : { meanRunning }),
    ...coldStart,
  };
}

/** Until the watch shows the last apply, what was applied is newer than the cache. */
const currentReplicas = ({ applied }: ScaleMemory, deployment: DeploymentView): number =>
  applied !== undefined && isBehind(deployment, applied) ? applied.replicas : deployment.replicas;

const isBehind = (deployment: DeploymentView, applied: NonNullable<ScaleMemory['applied']>): boolean =>
  deployment.uid === applied.uid && deployment.generation < applied.generation;

type Scale = Readonly<{
  queue: QueueView;
  deployment: DeploymentView | null;
  current: number;
  target: Target;
  care: Care;
}>;

function decideScale(state: PoolState, scale: Scale): Scaling {
  const { queue, target, care } = scale;
  const decided = decideScaleNow(state, scale);
  const sleepsForMs = sleepFor({ state, queue, target, decided });
  return {
    ...decided,
    wake: paceOf(queue, target),
    recheckAfterMs: recheckAfter(state, { queue, target, lookAt: care.plan.lookAt }),
    ...(sleepsForMs === undefined ? {} : { sleepsForMs }),
  };
}

function decideScaleNow(state: PoolState, scale: Scale): Decided {
  const { queue, deployment, current, target, care } = scale;
  const { because, wanted, replicas } = target;
  const mayAct = state.pool.spec.mode === 'Auto';
  const action = mayAct ? applyAction(state, { deployment, replicas }) : undefined;
  const corrected = action === undefined ? undefined : correctedBy(deployment, { from: current, to: replicas });
  const drain = drainToCarryOut(state, target);
  const drainOutcomes = outcomesOf(state, drain);
  const memory = remember(state, scale, { action, corrected, drain });
  const deletion = deletionOf(state, care);
  const failing = action === undefined ? undefined : failureVerdict(state);
  const stalled = stalledBy(state, isBeside(state.pool) ? null : deployment) ?? failing?.stalled;
  const verdict = verdictOf({ ...scale, state, action, stalled, failing });
  const said = { state, memory, queue, verdict, care, because, wanted, bounds: target.bounds };
  const status = renderStatus({
    ...said,
    draining: countDraining(drain),
    current: failing === undefined ? replicas : current,
  });
  return {
    because,
    wanted,
    actions: action === undefined ? [] : [action],
    ...(deletion === undefined ? {} : { deletion }),
    ...drainDecisionOf(state, { drain, drainOutcomes }),
    status,
    events: {
      noticed: [
        ...drainEvents(drainOutcomes),
        ...silenceEvents(state.memory.drain, memory.drain),
        ...foreignCostEvents(state),
      ],
      carriedOut: action === undefined ? [] : eventsOfApply(state, scale, corrected),
      withStatus: [...standingEvents({ state, held: target.held, stalled }), ...healthEvents(state, care, status)],
    },
    care,
    memory,
  };
}

const eventsOfApply = (
  state: PoolState,
  { deployment, current, target }: Scale,
  corrected: Corrected | undefined,
): readonly PoolEvent[] =>
  changeEvents({
    memory: state.memory,
    because: target.because,
    from: current,
    to: target.replicas,
    wanted: target.wanted,
    recreated: deployment === null && wasMade(state),
    corrected,
  });

/** Somebody else scales the pool, or nobody. */
const LEFT_ALONE: ReadonlySet<string> = new Set(['OtherAutoscaler', 'HandsOff']);

/** Cordons of a pool that is not to be scaled run out by themselves. */
function drainToCarryOut({ pool }: PoolState, { held, drain }: Target): DrainPlan | undefined {
  const isLeftAlone = held !== undefined && LEFT_ALONE.has(held.reason);
  return pool.spec.mode === 'Auto' && !isLeftAlone ? drain : undefined;
}

/** One that is chosen and was not told yet still takes jobs. */
function countDraining(drain: DrainPlan | undefined): number {
  const { draining = [], memory } = drain ?? {};
  return draining.filter(({ replica: { uid, mark } }) => mark !== undefined || memory?.cordons[uid] !== undefined)
    .length;
}

const drainDecisionOf = (
  state: PoolState,
  { drain, drainOutcomes }: Readonly<{ drain: DrainPlan | undefined; drainOutcomes: Decision['drainOutcomes'] }>,
): Pick<Decision, 'drainSteps' | 'drainOutcomes' | 'makesToken' | 'makesBudget'> => ({
  drainSteps: drain?.steps ?? [],
  drainOutcomes,
  makesToken: state.pool.spec.mode === 'Auto' && makesToken(state),
  makesBudget: state.pool.spec.mode === 'Auto' && makesBudget(state),
});

/** What the next pass is to know of this one. */
function remember(
  state: PoolState,
  { target, current }: Scale,
  {
    action,
    corrected,
    drain,
  }: Readonly<{ action: Action | undefined; corrected: Corrected | undefined; drain: DrainPlan | undefined }>,
): ScaleMemory {
  const { memory, now } = state;
  const corrections = recentCorrections(memory.corrections, now);
  const { applyFailure, ...kept } = memory;
  return {
    ...kept,
    // With nothing to apply any more, nothing fails.
    ...(action === undefined || applyFailure === undefined ? {} : { applyFailure }),
    drain: rememberDrain(state, drain, { from: current, to: target.replicas }),
    wanted: target.window,
    ...wayUp(memory, { from: current, to: target.replicas, wanted: target.wanted }),
    raises: action === undefined ? memory.raises : rememberRaise(memory, { now, from: current, to: target.replicas }),
    corrections: corrected === undefined ? corrections : [...corrections, { at: now, manager: corrected.manager }],
  };
}
