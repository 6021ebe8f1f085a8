import { GENERATION_ANNOTATION, RENDERING_ANNOTATION } from '../api/names.ts';
import { foreignManager, handsOffUntil, recentCorrections, sayHandsOff } from './corrections.ts';
import { isRolledOut } from './bounds/removal.ts';
import type { Verdict } from './conditions.ts';
import type { Action, Decision, WakePace } from './decision.ts';
import { renderDeployment, templateKey } from './deployment.ts';
import { eventsOf } from './events.ts';
import { isMarked, markFor } from './fencing.ts';
import type { Millis } from './known.ts';
import { learnMeanDuration, meanRunningMs } from './mean-duration.ts';
import { learnColdStart } from './memory.ts';
import { findObstacle, type Obstacle } from './obstacle.ts';
import { type QueueView, viewQueue } from './queue-view.ts';
import { needsPerson, stalledBy } from './stalled.ts';
import type { DeploymentView, PoolState, ScaleMemory } from './state.ts';
import { renderStatus } from './status.ts';
import { chooseTarget, type Target } from './target.ts';

/** With a backlog, running jobs or an unknown queue. */
const POLL_BUSY_MS: Millis = 1000;
/** Behind the events, in case one was lost: the slow poll is the truth. */
const POLL_QUIET_MS: Millis = 30_000;
/** What was readable a moment ago comes back by itself; the connection has its own pauses. */
const POLL_UNKNOWN_MS: Millis = 2000;
/** A Secret is read, not watched: the operator may `get` it and no more. */
const POLL_TROUBLE_MS: Millis = 5000;

/** From everything that is known of a pool to what to do, and why: the same state always gives the same decision. */
export function decide(observed: PoolState): Decision {
  const state = { ...observed, memory: learn(observed) };
  const queue = viewQueue(state);
  const deployment = state.deployment.ok ? state.deployment.value : null;
  // The replicas of a Deployment that is not the pool's are not the pool's either.
  const current = deployment?.ownerUid === state.pool.uid ? currentReplicas(state.memory, deployment) : 0;
  const obstacle = findObstacle(state);
  if (obstacle !== undefined) return decideNothing(state, { queue, current, obstacle });

  const handsOff = handsOffUntil(state.memory.corrections, state.now);
  const target = chooseTarget({ state, queue: queue.queue, deployment, current });
  const bound: Target =
    handsOff === undefined || state.now >= handsOff
      ? target
      : keepHandsOff({ state, target, deployment, current }, handsOff);
  return decideScale(state, { queue, deployment, current, target: bound });
}

/** Everything that one look teaches, obstacle or not. */
function learn({ memory, replicas, now }: PoolState): ScaleMemory {
  if (!replicas.ok) return memory;
  const coldStart = learnColdStart(memory, replicas.value);
  const { meanRunning: _before, ...kept } = memory;
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

function keepHandsOff(
  at: Readonly<{ state: PoolState; target: Target; deployment: DeploymentView | null; current: number }>,
  until: Millis,
): Target {
  const recent = recentCorrections(at.state.memory.corrections, at.state.now);
  const message = sayHandsOff(recent, until - at.state.now);
  return {
    ...at.target,
    wanted: at.current,
    replicas: at.current,
    because: { reason: 'HandsOff', message },
    changesAt: until,
  };
}

function decideNothing(
  state: PoolState,
  { queue, current, obstacle }: Readonly<{ queue: QueueView; current: number; obstacle: Obstacle }>,
): Decision {
  const { because } = obstacle;
  const verdict: Verdict = {
    ...(obstacle.stalled ? { stalled: because } : { reconciling: because }),
    scalingHeld: because,
    queue,
  };
  return {
    because,
    wanted: current,
    actions: [],
    status: renderStatus({ state, memory: state.memory, queue, verdict, because, wanted: current, current }),
    events: eventsOf({
      state,
      because,
      from: current,
      to: current,
      recreated: false,
      ...(obstacle.stalled ? { stalled: because } : {}),
    }),
    memory: state.memory,
    wake: 'none',
    recheckAfterMs: POLL_TROUBLE_MS,
  };
}

type Scale = Readonly<{ queue: QueueView; deployment: DeploymentView | null; current: number; target: Target }>;

function decideScale(state: PoolState, scale: Scale): Decision {
  const { queue, deployment, current, target } = scale;
  const action = applyAction(state, { deployment, replicas: target.replicas });
  const manager = foreignManager(deployment);
  const corrected =
    manager !== undefined && action !== undefined && target.replicas !== current && deployment !== null
      ? { manager, replicas: deployment.replicas }
      : undefined;
  const corrections = recentCorrections(state.memory.corrections, state.now);
  const memory: ScaleMemory = {
    ...state.memory,
    wanted: target.window,
    corrections:
      corrected === undefined ? corrections : [...corrections, { at: state.now, manager: corrected.manager }],
  };
  const stalled = stalledBy(state, deployment);
  const verdict = verdictOf(scale, { action, stalled, wasReady: wasReady(state) });
  return {
    because: target.because,
    wanted: target.wanted,
    actions: action === undefined ? [] : [action],
    status: renderStatus({
      state,
      memory,
      queue,
      verdict,
      because: target.because,
      wanted: target.wanted,
      current: target.replicas,
    }),
    events: eventsOf({
      state,
      because: target.because,
      from: current,
      to: target.replicas,
      recreated: deployment === null && state.memory.applied !== undefined,
      ...(stalled === undefined ? {} : { stalled }),
      ...(corrected === undefined ? {} : { corrected }),
    }),
    memory,
    wake: paceOf(queue, target),
    recheckAfterMs: recheckAfter(state, { queue, target }),
  };
}

/** One apply of the whole Deployment, when what was applied last is not what should be, or is no longer what is there. */
function applyAction(
  { pool, memory, epoch }: PoolState,
  { deployment, replicas }: Readonly<{ deployment: DeploymentView | null; replicas: number }>,
): Action | undefined {
  const { applied } = memory;
  const mark = markFor(deployment, { replicas, epoch });
  const manifest = renderDeployment(pool, {
    replicas,
    ...(mark === undefined ? {} : { mark }),
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

function verdictOf(
  { queue, deployment, target }: Scale,
  {
    action,
    stalled,
    wasReady,
  }: Readonly<{ action: Action | undefined; stalled: Verdict['stalled']; wasReady: boolean }>,
): Verdict {
  const { because } = target;
  const held = because.reason === 'HandsOff' || because.reason === 'QueueUnknown';
  const reconciling = reconcilingBecause(deployment, action, wasReady);
  return {
    ...(stalled === undefined ? {} : { stalled }),
    ...(reconciling === undefined ? {} : { reconciling }),
    ...(held ? { scalingHeld: because } : {}),
    queue,
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

function paceOf({ queue }: QueueView, { replicas }: Target): WakePace {
  if (replicas === 0) return 'instant';
  return queue.ok && queue.value.ready === 0 ? 'paced' : 'none';
}

function recheckAfter(
  state: PoolState,
  { queue: { queue }, target }: Readonly<{ queue: QueueView; target: Target }>,
): Millis {
  if (!queue.ok) return needsPerson(state.redis) ? POLL_TROUBLE_MS : POLL_UNKNOWN_MS;
  const { ready, paused, active, nextDelayedAt } = queue.value;
  const busy = active > 0 || (ready > 0 && !paused) || target.wanted < target.replicas;
  const moments = [
    state.now + (busy ? POLL_BUSY_MS : POLL_QUIET_MS),
    // Nothing promotes a delayed job at zero replicas: the pool is woken when the first becomes due.
    ...(nextDelayedAt === undefined ? [] : [nextDelayedAt]),
    ...(target.changesAt === undefined ? [] : [target.changesAt]),
  ];
  return Math.max(20, Math.min(...moments) - state.now);
}
