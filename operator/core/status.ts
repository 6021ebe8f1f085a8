import { formatDuration } from '../api/duration.ts';
import { INT32_MAX } from '../api/names.ts';
import type { PoolStatus } from '../api/pool.ts';
import { claimOf } from './applied-before.ts';
import { isBeside } from './beside.ts';
import type { Because } from './because.ts';
import type { Bound } from './bounds/bound.ts';
import { renderConditions, type Verdict } from './conditions.ts';
import { lastBusyHour, renderCounterfactual } from './counterfactual/status.ts';
import { renderLedger } from './health/ledger-status.ts';
import type { Care } from './health/look-after.ts';
import { renderWorkers } from './health/workers.ts';
import type { Millis } from './known.ts';
import { usableMean } from './mean-duration.ts';
import type { QueueView } from './queue-view.ts';
import type { ScaleMemory } from './scale-memory.ts';
import { firstLine } from './sentence.ts';
import type { PoolState } from './state.ts';
import { isoTime, parseIsoTime } from './time.ts';

/** Numbers alone are written at most this often. */
const NUMBERS_EVERY_MS: Millis = 10_000;
const MESSAGE_LIMIT = 1024;
const HOUR_MS: Millis = 3_600_000;

export type StatusInput = Readonly<{
  state: PoolState;
  memory: ScaleMemory;
  queue: QueueView;
  verdict: Verdict;
  care: Care;
  because: Because;
  bounds: readonly Bound[];
  wanted: number;
  current: number;
  /** Replicas that are on their way out. */
  draining: number;
}>;

export function renderStatus({
  state,
  memory,
  queue,
  verdict,
  care,
  because,
  bounds,
  wanted,
  current,
  draining,
}: StatusInput): PoolStatus {
  const { pool, now } = state;
  const ready = readyReplicas(state);
  const before = pool.status;
  const said = { reason: because.reason, message: firstLine(because.message, MESSAGE_LIMIT) };
  const same = before?.decision?.reason === said.reason && before.decision.message === said.message;
  return {
    observedGeneration: pool.generation,
    replicas: { current, ready, wanted, draining },
    queue: renderQueue(state, memory, queue),
    decision: {
      ...said,
      at: same ? (before.decision?.at ?? isoTime(now)) : isoTime(now),
      ...(bounds.length === 0 ? {} : { bounds: bounds.map(renderBound) }),
    },
    ...(memory.account === undefined ? {} : { counterfactual: renderCounterfactual(memory.account) }),
    ...renderHealth(state, care),
    ...renderClaim(state),
    conditions: renderConditions(verdict, before?.conditions ?? [], { now, generation: pool.generation }),
  };
}

function readyReplicas({ pool, deployment, replicas }: PoolState): number {
  if (isBeside(pool)) return deployment.ok ? (deployment.value?.status.ready ?? 0) : 0;
  return replicas.ok ? replicas.value.filter((replica) => replica.ready && !replica.terminating).length : 0;
}

function renderHealth(state: PoolState, care: Care): Pick<PoolStatus, 'workers' | 'restarts'> {
  const restarts = renderLedger(care.plan.ledger, care.plan.budget.left);
  return { workers: renderWorkers(state, care), ...(restarts === undefined ? {} : { restarts }) };
}

function renderClaim(state: PoolState): Pick<PoolStatus, 'deployment'> {
  const deployment = claimOf(state);
  return deployment === undefined ? {} : { deployment };
}

const renderBound = ({ reason, from, to, clause }: Bound) => ({
  reason,
  // What more jobs would need is held to maxReplicas anyway.
  from: Math.min(from, INT32_MAX),
  to: Math.min(to, INT32_MAX),
  message: firstLine(clause, MESSAGE_LIMIT),
});

/** What is not known is left out; the mean, and that the queue was seen, must outlive a leader. */
function renderQueue(state: PoolState, memory: ScaleMemory, view: QueueView): NonNullable<PoolStatus['queue']> {
  const kept = { ...renderMean(memory, state.now), seen: view.seen };
  if (!view.queue.ok) {
    const observedAt = state.pool.status?.queue?.observedAt;
    return observedAt === undefined ? kept : { ...kept, observedAt };
  }
  const { ready, active, delayed, failed, paused, oldestWaitMs, source } = view.queue.value;
  return {
    ...kept,
    waiting: paused ? 0 : ready,
    active,
    delayed,
    failed,
    paused,
    ...(oldestWaitMs === undefined ? {} : { oldestWait: formatDuration(Math.round(oldestWaitMs / 1000) * 1000) }),
    source,
    observedAt: isoTime(view.queue.at),
  };
}

/** Rounded, so that a mean that hardly moves is no write: to three digits, and the hour. */
function renderMean(
  memory: ScaleMemory,
  now: Millis,
): Pick<NonNullable<PoolStatus['queue']>, 'meanDuration' | 'meanDurationAt'> {
  const mean = usableMean(memory, now);
  if (mean === undefined) return {};
  const meanDuration = formatDuration(Number(mean.ms.toPrecision(3)));
  return { meanDuration, meanDurationAt: isoTime(mean.at - (mean.at % HOUR_MS)) };
}

/** Of what this leader wrote last: when, and what that said of the Deployment. `isNews`: an event is told of this one. */
type Written = Readonly<{
  now: Millis;
  writtenAt?: Millis | undefined;
  claimed?: PoolStatus['deployment'] | undefined;
  isNews?: boolean;
}>;

/**
 * In how many milliseconds the status is to be written, 0 for now, undefined for never. A condition, a reason, the wanted
 * number or what an event is told of is written at once, numbers alone at most every ten seconds, times alone never: a
 * status that changes every second would be a write, and a watch event, a second for each pool. What was applied to the
 * Deployment counts as a number where the next leader would need it, and once: an older definition does not keep it.
 */
export function writeStatusIn(before: PoolStatus | undefined, next: PoolStatus, since: Written): Millis | undefined {
  if (before === undefined || since.isNews === true || headline(before) !== headline(next)) return 0;
  const isSame = numbers(before, since.now) === numbers(next, since.now);
  if (isSame && !isOwed(next, [before.deployment, since.claimed])) return undefined;
  return since.writtenAt === undefined ? 0 : Math.max(0, since.writtenAt + NUMBERS_EVERY_MS - since.now);
}

/** What was never said, and that a retry is used or given back, does not wait until other pools have their replicas. */
export const mayBeSaidLater = (before: PoolStatus | undefined, next: PoolStatus): boolean =>
  before !== undefined && isSame(retriesOf(before), retriesOf(next));

const retriesOf = ({ restarts }: PoolStatus): readonly unknown[] => [
  restarts?.used ?? 0,
  restarts?.pending?.uid,
  restarts?.nextRetryAt,
];

const isSame = (before: unknown, next: unknown): boolean => JSON.stringify(before) === JSON.stringify(next);

const headline = (status: PoolStatus): string =>
  JSON.stringify([
    status.observedGeneration,
    status.replicas?.wanted,
    status.replicas?.draining,
    status.decision?.reason,
    status.queue?.seen,
    status.queue?.paused,
    accountOf(status.restarts),
    unhealthyOf(status),
    (status.conditions ?? []).map(({ type, status: value, reason }) => [type, value, reason]),
  ]);

/** A pool with replicas is applied by the next leader in any case. */
function isOwed({ replicas, deployment }: PoolStatus, said: readonly PoolStatus['deployment'][]): boolean {
  if (deployment === undefined || replicas?.current !== 0) return false;
  const { uid, generation, template } = deployment;
  return !said.some((one) => one?.uid === uid && one.generation === generation && one.template === template);
}

const numbers = (status: PoolStatus, now: Millis): string => {
  const { observedAt: _at, ...queue } = status.queue ?? {};
  return JSON.stringify([
    sorted(status.replicas ?? {}),
    sorted(queue),
    status.decision?.message,
    // The sums grow all the time: with each new hour that anything ran in they are worth a write.
    lastBusyHour(status),
    (status.workers ?? []).map((worker) => sorted(withoutRenewal(worker, now))),
    (status.conditions ?? []).map(({ type, message }) => [type, message]),
  ]);
};

/** A cordon is renewed all the time while a replica drains: that it has one is worth a write, and that the one shown is over. */
function withoutRenewal({ cordonedUntil, ...worker }: NonNullable<PoolStatus['workers']>[number], now: Millis): object {
  const until = parseIsoTime(cordonedUntil);
  return { ...worker, ...(until === undefined ? {} : { isCordoned: until > now }) };
}

/** What a retry is counted by: written before anything follows from it. */
const accountOf = (restarts: PoolStatus['restarts']): readonly unknown[] =>
  restarts === undefined
    ? []
    : [restarts.templateHash, restarts.used, restarts.everReady, restarts.pending?.uid, restarts.nextRetryAt];

const unhealthyOf = ({ workers = [] }: PoolStatus): readonly string[] =>
  workers
    .flatMap(({ pod, redis, supabase }) => (redis === 'Unhealthy' || supabase === 'Unhealthy' ? [pod] : []))
    .sort();

const sorted = (fields: object): readonly unknown[] => Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));
