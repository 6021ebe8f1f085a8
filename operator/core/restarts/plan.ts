import type { Millis } from '../known.ts';
import { count, sayLength } from '../sentence.ts';
import { type Failure, findFailures } from './failures.ts';
import {
  backoffOf,
  fullAgainAt,
  giveBack,
  isFullAgain,
  openLedger,
  readRetryRequest,
  type RetryRequest,
  settle,
} from './ledger.ts';
import { limitOf, MINUTE, mayRetry } from './limits.ts';
import { CORDON_LIMIT_MS, FRESH_MS, nextTelling } from './telling.ts';
import type { RestartMemory, RestartReplica, RestartView, FailureReason, Ledger, Pending } from './view.ts';
import { watchFetching } from './wedged.ts';

/** One deletion, with the UID of the pod that is meant. Only ever of the `pending` that already stands in the status. */
export type Deletion = Readonly<{
  uid: string;
  name: string;
  reason: FailureReason;
  /** Left out, its pod's own grace holds: what it runs may end, and the rest is handed back. */
  graceSeconds?: number;
  because: string;
}>;

/** The budget as a person reads it. */
export type Budget = Readonly<{
  state: 'Available' | 'Exhausted' | 'Off' | 'Unknown';
  left: number;
  message: string;
}>;

/** What to do about failed replicas. */
export type RestartPlan = Readonly<{
  ledger?: Ledger;
  failures: readonly Failure[];
  /** A retry that this look took from the budget; it is carried out once the ledger stands in the status. */
  taken?: Failure;
  delete?: Deletion;
  /** UIDs of those that are to take no new job: about to be restarted, or failed with no retry left. */
  cordon: readonly string[];
  /** Why no replica is added: none of this template ever became ready, and the budget is spent. */
  addNone?: string;
  budget: Budget;
  /** When to look again although nothing else changes. */
  lookAt?: Millis;
  memory: RestartMemory;
}>;

/**
 * For a replica that has no job in hand any more. One whose worker runs keeps the grace of its pod: on SIGTERM it ends what
 * it runs before it hands anything back.
 */
const GRACE_WITHOUT_JOBS_SECONDS = 30;
/** A lock of BullMQ lasts 30 s without Redis, and another replica takes the job half a minute later. */
const JOBS_LOST_MS: Millis = 60_000;

/** The next step for failed replicas. Level-based: what was written before is finished first, and never counted again. */
export function planRestarts(view: RestartView): RestartPlan {
  const opened = openLedger(view.ledger, view.templateHash);
  if (!view.replicas.ok || view.templateHash === undefined || opened === undefined) return idle(view, opened);
  const wedge = watchFetching(view);
  const failures = findFailures(view, wedge);
  const request = readRetryRequest(view.retryAt, opened, view.now);
  const asked = request.kind === 'due' && opened.used > 0 ? giveBack(opened) : opened;
  const kept = keepBooks(settle(asked, view.replicas.value), failures, view);
  const memory = nextMemory(view, kept, wedge);
  const ledger = isFullAgain(kept, { ...view, memory }) ? giveBack(kept) : kept;
  const next = step({ view, ledger, failures, request, memory, replicas: view.replicas.value });
  const moments = [next.lookAt, fullAgainAt(ledger, { ...view, memory }), askedFor(request, ledger)];
  const known = moments.filter((moment) => moment !== undefined);
  return known.length === 0 ? next : { ...next, lookAt: Math.min(...known) };
}

/** When a person wants the retries back, of which some are spent. */
const askedFor = (request: RetryRequest, { used }: Ledger): Millis | undefined =>
  request.kind === 'later' && used > 0 ? request.at : undefined;

/** Nothing can be seen: nothing is done, and the books stay as they are. */
function idle({ memory, replicas, spec }: RestartView, ledger: Ledger | undefined): RestartPlan {
  const message = replicas.ok ? 'no replica was seen yet' : replicas.because;
  const left = Math.max(0, spec.maxRetries - (ledger?.used ?? 0));
  return {
    ...(ledger === undefined ? {} : { ledger }),
    failures: [],
    cordon: [],
    budget:
      ledger === undefined && replicas.ok ? available(left, spec.maxRetries) : { state: 'Unknown', left, message },
    memory: { ...memory, wedge: {} },
  };
}

function keepBooks(ledger: Ledger, failures: readonly Failure[], { replicas, now }: RestartView): Ledger {
  const ready = replicas.ok && replicas.value.some((each) => each.ready && each.templateHash === ledger.templateHash);
  const everReady = ledger.everReady || ready;
  return failures.length === 0 ? { ...ledger, everReady } : { ...ledger, everReady, lastFailureAt: now };
}

function nextMemory(view: RestartView, ledger: Ledger, wedge: RestartMemory['wedge']): RestartMemory {
  const { memory, replicas, now } = view;
  const since = ledger.lastRetryAt ?? 0;
  const worked = (replicas.ok ? replicas.value : []).some(
    ({ templateHash, createdAt, work }) =>
      templateHash === ledger.templateHash && createdAt > since && work.ok && work.value.hasFinished,
  );
  const { telling: _before, ...kept } = memory;
  const telling = nextTelling(view, ledger);
  return {
    ...kept,
    ...(telling === undefined ? {} : { telling }),
    wedge,
    proven: ledger.pending === undefined && (worked || memory.proven),
    recent: [...new Set([...memory.recent, since])].filter((at) => at > now - MINUTE),
  };
}

type Step = Readonly<{
  view: RestartView;
  ledger: Ledger;
  failures: readonly Failure[];
  request: RetryRequest;
  memory: RestartMemory;
  replicas: readonly RestartReplica[];
}>;

function step(at: Step): RestartPlan {
  const { view, ledger, failures, memory } = at;
  const isOff = view.spec.policy === 'Never';
  const base = { ledger, failures, cordon: [], budget: budgetOf(at), memory };
  if (isOff) {
    const { pending: _cancelled, ...rest } = ledger;
    return { ...base, ledger: rest };
  }
  if (ledger.pending !== undefined) return { ...base, ...finish(at, ledger.pending) };
  if (ledger.used >= view.spec.maxRetries) return { ...base, ...giveUp(at) };
  if (failures.length === 0) return base;
  return { ...base, ...retry(at) };
}

/** Waits out the backoff and the limits, then takes one retry. The deletion follows when that stands in the status. */
function retry({ view, ledger, failures, memory, replicas }: Step): Partial<RestartPlan> {
  const { now, spec, random } = view;
  if (ledger.nextRetryAt === undefined) {
    const nextRetryAt = Math.ceil(now + backoffOf(ledger.used, spec, random));
    return { ledger: { ...ledger, nextRetryAt }, lookAt: nextRetryAt };
  }
  const allowed = mayRetry({ view, ledger, recent: memory.recent, limit: limitOf(view, replicas.length) });
  const [failure] = failures;
  if (!allowed.ok || failure === undefined)
    return allowed.ok || allowed.lookAt === undefined ? {} : { lookAt: allowed.lookAt };
  const { nextRetryAt: _waited, ...rest } = ledger;
  const pending: Pending = { pod: failure.name, uid: failure.uid, at: now, reason: failure.reason };
  const taken: Ledger = { ...rest, used: ledger.used + 1, lastRetryAt: now, pending };
  return {
    taken: failure,
    ledger: taken,
    budget: budgetOf({ view, ledger: taken, failures, request: { kind: 'none' } }),
    lookAt: now,
  };
}

/**
 * Deletes the replica of a retry: at once when it runs no job, else when it has ended them. `pending` was read from the
 * status, so the write came before the effect, and whoever reads it finishes it and counts nothing again.
 */
function finish({ view, ledger, failures, replicas, memory }: Step, pending: Pending): Partial<RestartPlan> {
  const replica = replicas.find(({ uid }) => uid === pending.uid);
  if (replica === undefined || view.noRestarts !== undefined) return {};
  const verdict = readiness(replica, { view, pending, inVainMs: memory.telling?.inVainMs ?? 0 });
  if (verdict === 'wait') return {};
  if (verdict === 'cordon') return { cordon: [pending.uid] };
  const grace = verdict === 'delete, it has no job' ? { graceSeconds: GRACE_WITHOUT_JOBS_SECONDS } : {};
  const failure = failures.find(({ uid }) => uid === pending.uid);
  const because = failure?.because ?? 'the retry was begun and is finished';
  const said = `restarted (${ledger.used} of ${view.spec.maxRetries} retries): ${because}`;
  return {
    delete: { uid: pending.uid, name: pending.pod, reason: pending.reason, ...grace, because: said },
    // Given back to work in the pass that deletes it, it would take a job.
    cordon: [pending.uid],
  };
}

function readiness(
  { worker, work }: RestartReplica,
  { view, pending, inVainMs }: Readonly<{ view: RestartView; pending: Pending; inVainMs: Millis }>,
): 'delete' | 'delete, it has no job' | 'cordon' | 'wait' {
  if (worker.state !== 'Running') return 'delete, it has no job';
  // It runs and does not answer: the kubelet's probe is its judge.
  if (!work.ok) return 'wait';
  if (view.now - work.at > FRESH_MS) return 'cordon';
  const { active, cordoned } = work.value;
  // One that only holds itself takes jobs again by itself, maybe in this moment.
  if (active === 0 && (cordoned || inVainMs >= CORDON_LIMIT_MS)) return 'delete';
  if (view.now - pending.at >= view.spec.drainTimeoutMs) return 'delete';
  const fault = view.localFaults.find(({ uid }) => uid === pending.uid);
  if (fault?.dependency === 'redis' && view.now - fault.since >= JOBS_LOST_MS) return 'delete, it has no job';
  return 'cordon';
}

/**
 * No retry is left: what failed takes no new job and goes first; what works goes on. Whether any is added is read from the
 * account alone: a replica in a crash loop is no failure for the moment in which it runs.
 */
function giveUp({ view, ledger, failures, replicas }: Step): Partial<RestartPlan> {
  const answering = failures.filter(({ uid }) => replicas.some((each) => each.uid === uid && each.work.ok));
  const none = `no replica of this template ever became ready and ${count(view.spec.maxRetries, 'retry', 'retries')} were of no use`;
  return {
    cordon: answering.map(({ uid }) => uid),
    ...(ledger.everReady || replicas.length === 0 ? {} : { addNone: none }),
  };
}

const available = (left: number, most: number): Budget => ({
  state: 'Available',
  left,
  message: `${left} of ${count(most, 'retry', 'retries')} left`,
});

const TO_CLEAR = 'correct spec.workers.template, or annotate the pool with agentpool.dev/retry-at and the time';

function budgetOf({ view, ledger, failures, request }: Pick<Step, 'view' | 'ledger' | 'failures' | 'request'>): Budget {
  const { policy, maxRetries, resetAfterMs } = view.spec;
  const failed = failures[0];
  const said = failed === undefined ? '' : `; ${failed.name}: ${failed.because}`;
  if (policy === 'Never') {
    const message = `restarts.policy is Never, so failed replicas are reported and none is restarted${said}`;
    return { state: 'Off', left: 0, message };
  }
  const left = Math.max(0, maxRetries - ledger.used);
  const hint =
    request.kind === 'malformed'
      ? `; the annotation agentpool.dev/retry-at is not a time: write it like 2026-01-05T12:00:00Z`
      : '';
  if (left > 0) {
    const held = failed !== undefined && view.noRestarts !== undefined ? '; not restarted now' : '';
    return { ...available(left, maxRetries), message: `${available(left, maxRetries).message}${said}${held}${hint}` };
  }
  const how =
    failed === undefined
      ? `full again when no replica fails for ${sayLength(resetAfterMs)} and a new one has done work`
      : `no more replicas of this template are restarted: ${TO_CLEAR}`;
  return {
    state: 'Exhausted',
    left,
    message: `all ${count(maxRetries, 'retry', 'retries')} are spent${said}; ${how}${hint}`,
  };
}
