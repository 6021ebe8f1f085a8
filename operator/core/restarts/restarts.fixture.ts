import { known, type Millis } from '../known.ts';
import { planRestarts, type RestartPlan } from './plan.ts';
import {
  firstRestartMemory,
  type ReplicaWork,
  type RestartReplica,
  type RestartSpec,
  type RestartView,
  type WorkerContainer,
  type Ledger,
} from './view.ts';

export const START: Millis = 1_767_614_400_000;

export const SPEC: RestartSpec = {
  policy: 'OnFailure',
  maxRetries: 3,
  backoffBaseMs: 10_000,
  backoffMaxMs: 300_000,
  resetAfterMs: 600_000,
  progressTimeoutMs: 120_000,
  drainTimeoutMs: 900_000,
};

export const workOf = (over: Partial<ReplicaWork> = {}): ReplicaWork => ({
  processStart: 'p1',
  active: 0,
  slots: 5,
  cordoned: false,
  held: null,
  stopping: false,
  lastFetch: null,
  hasFinished: false,
  ...over,
});

export const CRASHING: WorkerContainer = {
  state: 'Waiting',
  waiting: { reason: 'CrashLoopBackOff' },
  restarts: 3,
  lastExit: { at: START - 5000, code: 1 },
};

export const podOf = (name: string, over: Partial<RestartReplica> = {}): RestartReplica => ({
  name,
  uid: `uid-${name}`,
  templateHash: 'a',
  node: 'node1',
  createdAt: START - 300_000,
  scheduledAt: START - 300_000,
  ready: true,
  disrupted: false,
  worker: { state: 'Running', restarts: 0, startedAt: START - 299_000 },
  work: known(workOf(), START),
  ...over,
});

export const crashing = (name: string, over: Partial<RestartReplica> = {}): RestartReplica =>
  podOf(name, { ready: false, worker: CRASHING, work: { ok: false, because: 'it is not running' }, ...over });

/** A leader that has watched for an hour. */
export const viewOf = (replicas: readonly RestartReplica[], over: Partial<RestartView> = {}): RestartView => ({
  now: START,
  random: 0.5,
  spec: SPEC,
  templateHash: 'a',
  replicas: known(replicas, START),
  localFaults: [],
  jobsMayStart: true,
  memory: firstRestartMemory(START - 3_600_000),
  ...over,
});

export const ledgerOf = (over: Partial<Ledger> = {}): Ledger => ({
  templateHash: 'a',
  used: 0,
  everReady: true,
  ...over,
});

/** The same replicas, which say the same later. */
const askedAgain = ({ replicas }: RestartView, at: Millis): RestartView['replicas'] =>
  replicas.ok
    ? known(
        replicas.value.map((each) => (each.work.ok ? { ...each, work: known(each.work.value, at) } : each)),
        at,
      )
    : replicas;

/** The view after a plan was carried out: its ledger stands in the status. */
export const after = (
  view: RestartView,
  plan: RestartPlan,
  { ms, ...over }: Readonly<{ ms: Millis }> & Partial<RestartView>,
): RestartView => ({
  ...view,
  now: view.now + ms,
  replicas: askedAgain(view, view.now + ms),
  memory: plan.memory,
  ...(plan.ledger === undefined ? {} : { ledger: plan.ledger }),
  ...over,
});

/** Looks once a second until something is deleted, or the time is over. */
export function untilDeletion(view: RestartView, limitMs: Millis): Readonly<{ view: RestartView; plan: RestartPlan }> {
  let now = view;
  for (let ms = 0; ms <= limitMs; ms += 1000) {
    const plan = planRestarts(now);
    if (plan.delete !== undefined) return { view: now, plan };
    now = after(now, plan, { ms: 1000 });
  }
  return { view: now, plan: planRestarts(now) };
}
