import type { Looked } from './looked.ts';
import { markSteps } from './mark.ts';
import { CORDON_SECONDS, proofOf } from './proof.ts';
import { ALL, type Precondition, loweringMayBeUnderWay, whyNot } from './settled.ts';
import type { DrainPlan, DrainStep, ProvenReplica } from './steps.ts';
import { silenceOf } from './silence.ts';
import { isDue, recentFailures } from './step-outcome.ts';
import { chooseVictims } from './victims.ts';
import { type Cordon, type DrainMemory, type DrainReplica, type DrainView, withPods } from './view.ts';

/** Well before the lease ends, and often enough that a call which fails is no reason to begin again. */
const RENEW_EVERY_MS = 15_000;

/** Which preconditions hold, for tests that show what each is for. */
export type PlanOptions = Readonly<{ preconditions?: readonly Precondition[] }>;

/** What to do next so that the pool comes down to `wanted`, or works again. Level-based: the same view, the same plan. */
export function planDrain(view: DrainView, { preconditions = ALL }: PlanOptions = {}): DrainPlan {
  const looked = look(view, preconditions);
  const lowering = lowerOf(looked);
  const cordons = cordonSteps(looked);
  const marks = lowering.replicas === undefined ? markSteps(looked) : [];
  const steps = [...cordons, ...marks].filter((step) => isDue(view.memory, step, view.now));
  return {
    steps,
    fence: needsFence(looked, steps),
    ...(lowering.replicas === undefined ? {} : { lower: { replicas: lowering.replicas, proven: lowering.proven } }),
    ...(lowering.because === undefined ? {} : { waitsFor: lowering.because }),
    draining: view.replicas
      .filter(({ uid, mark }) => looked.leaving.has(uid) || mark !== undefined)
      .map((replica) => ({ replica, because: looked.proofOf(replica).because })),
    overdue: looked.overdue,
    memory: withSilence(nextMemory(looked, steps), silenceOf(looked)),
  };
}

function look(view: DrainView, preconditions: readonly Precondition[]): Looked {
  const proofs = new Map(view.replicas.map((replica) => [replica.uid, proofOf(replica, view)]));
  const proof: Looked['proofOf'] = ({ uid }) =>
    proofs.get(uid) ?? { proven: false, because: 'it is gone', silent: true };
  const rollingOut = preconditions.includes('oneReplicaSet') && withPods(view.replicaSets).length > 1;
  const victims = rollingOut ? [] : chooseVictims(view);
  const overdue = victims.filter((replica) => isOverdue(replica, view) && !proof(replica).proven);
  // One that has failed is no gain for the queue.
  const spared = view.onTimeout === 'Release' ? overdue.filter(({ uid }) => !view.failed.has(uid)) : [];
  return {
    view,
    preconditions,
    proofOf: proof,
    leaving: new Set(victims.filter((victim) => !spared.includes(victim)).map(({ uid }) => uid)),
    spared: new Set(spared.map(({ uid }) => uid)),
    overdue,
    underWay: loweringMayBeUnderWay(view),
  };
}

function isOverdue({ uid }: DrainReplica, { memory, now, timeoutMs }: DrainView): boolean {
  const cordon = memory.cordons[uid];
  return cordon !== undefined && cordon.reported === undefined && now - cordon.since > timeoutMs;
}

type Lowering = Readonly<{ replicas?: number; proven: readonly ProvenReplica[]; because?: string }>;

/**
 * The number read less the marked ones, when each of them is proven and the ReplicaSet has seen each mark. First what is
 * not there: while a number is not filled, no mark can be set or taken back.
 */
function lowerOf({ view, preconditions, proofOf, leaving }: Looked): Lowering {
  const replicas = whatIsNotThere(view);
  if (replicas !== undefined) return { replicas, proven: [] };
  const marked = view.replicas.filter(({ mark }) => mark !== undefined);
  if (marked.length === 0) return { proven: [] };
  const proven: ProvenReplica[] = [];
  for (const replica of marked) {
    const proof = proofOf(replica);
    if (!leaving.has(replica.uid)) return { proven: [], because: `${replica.name} is marked, but wanted again` };
    if (!proof.proven) return { proven: [], because: `${replica.name} is marked, but ${proof.because}` };
    if (proof.of !== replica.mark?.of)
      return { proven: [], because: `the mark of ${replica.name} is of another proof` };
    if (replica.ready) return { proven: [], because: `${replica.name} is shown ready` };
    proven.push({ replica, because: proof.because });
  }
  const because = whyNot(view, preconditions);
  if (because !== undefined) return { proven: [], because };
  return { replicas: view.deployment.replicas - marked.length, proven };
}

/** A number that the cluster refuses to fill: lowered to the replicas that there are, it takes none away. */
function whatIsNotThere(view: DrainView): number | undefined {
  const { deployment, replicaSets, replicas, refused, wanted } = view;
  if (!refused || whyNot(view, ['controllersCaughtUp', 'oneReplicaSet']) !== undefined) return undefined;
  const counted = withPods(replicaSets).reduce((sum, { status }) => sum + status.replicas, 0);
  const least = Math.max(wanted, replicas.length);
  return counted === replicas.length && least < deployment.replicas ? least : undefined;
}

/** Who is to take no new job, and who is to work again. */
function cordonSteps({ view, leaving, spared, underWay }: Looked): readonly DrainStep[] {
  // Nobody was asked: what they answer in the next pass says who has the fewest jobs, and who is told already.
  if (!view.asked) return [];
  return view.replicas.flatMap((replica): readonly DrainStep[] => {
    const { uid, name, mark, cannotStart, answer } = replica;
    if (leaving.has(uid) || view.failed.has(uid) || (mark !== undefined && underWay)) {
      const due = cannotStart === undefined && cordonIsDue(replica, view);
      return due ? [{ kind: 'cordon', uid, name, seconds: CORDON_SECONDS }] : [];
    }
    const mayBeCordoned = answer.ok ? answer.value.cordoned : view.memory.cordons[uid] !== undefined;
    const because = spared.has(uid) ? 'tookTooLong' : 'wanted';
    return mayBeCordoned ? [{ kind: 'uncordon', uid, name, because }] : [];
  });
}

function cordonIsDue({ uid, answer }: DrainReplica, { memory, now }: DrainView): boolean {
  const cordon = memory.cordons[uid];
  if (cordon === undefined || now >= cordon.until - CORDON_SECONDS * 1000 + RENEW_EVERY_MS) return true;
  return answer.ok && (answer.value.processStart !== cordon.processStart || !answer.value.cordoned);
}

/** A replica that was marked may be in a lower number that is still on its way: that one must not arrive any more. */
function needsFence({ view }: Looked, steps: readonly DrainStep[]): boolean {
  const { deployment, replicas } = view;
  if (deployment.fenced) return false;
  const marked = new Set(replicas.filter(({ mark }) => mark !== undefined).map(({ uid }) => uid));
  return steps.some(({ kind, uid }) => kind === 'unmark' || (kind === 'uncordon' && marked.has(uid)));
}

/** What is known once these steps are on their way: a replica that is told to work again counts as working at once. */
function nextMemory({ view, spared, overdue, leaving }: Looked, steps: readonly DrainStep[]): DrainMemory {
  const { memory, now, timeoutMs, replicas, failed } = view;
  const freed = new Set(steps.filter(({ kind }) => kind === 'uncordon').map(({ uid }) => uid));
  const cordons = replicas.flatMap((replica): readonly (readonly [string, Cordon])[] => {
    const cordon = memory.cordons[replica.uid];
    if (cordon === undefined || freed.has(replica.uid)) return [];
    const next = withIdle(cordon, replica, now);
    return [[replica.uid, overdue.includes(replica) ? { ...next, reported: true } : next]];
  });
  const until = now + timeoutMs;
  const stillSpared = Object.entries(memory.spared).filter(([, end]) => end > now);
  const others = replicas.filter(({ uid }) => !failed.has(uid));
  const onlyKeeps = leaving.size === 0 && steps.every(({ kind }) => kind === 'cordon') && others.every(isAtRest);
  return {
    ...memory,
    cordons: Object.fromEntries(cordons),
    failures: recentFailures(memory, { replicas, now }),
    spared: Object.fromEntries([...stillSpared, ...[...spared].map((uid) => [uid, until] as const)]),
    atRest: leaving.size + steps.length + cordons.length + failed.size === 0 && replicas.every(isAtRest),
    onlyKeeps: onlyKeeps && failed.size > 0 && replicas.every(({ mark }) => mark === undefined),
  };
}

function withSilence({ silence: _before, ...memory }: DrainMemory, silence: DrainMemory['silence']): DrainMemory {
  return silence === undefined ? memory : { ...memory, silence };
}

const isAtRest = ({ mark, answer }: DrainReplica): boolean =>
  mark === undefined && (!answer.ok || !answer.value.cordoned);

/** By what the replica says: its readiness, for which this is kept, depends on nothing else. */
function withIdle(cordon: Cordon, { answer, ready }: DrainReplica, now: number): Cordon {
  const { idle: before, ...rest } = cordon;
  if (answer.ok && answer.value.active > 0) return rest;
  const saysIdle = answer.ok && answer.value.cordoned && answer.value.processStart === cordon.processStart;
  const idle = before ?? (saysIdle ? { since: now, shownReady: false } : undefined);
  if (idle === undefined) return rest;
  return { ...rest, idle: { ...idle, shownReady: idle.shownReady || ready } };
}
