import { titleOf } from '../dependencies/check.ts';
import type { Millis } from '../known.ts';
import { count, firstLine, sayLength } from '../sentence.ts';
import type { FailureReason, RestartReplica, RestartView, WedgeMemory, WorkerContainer } from './view.ts';

/** A replica that a restart could cure. */
export type Failure = Readonly<{ uid: string; name: string; reason: FailureReason; since: Millis; because: string }>;

/** The kubelet starts a container again in place; one that has ended so often will not run by itself. */
const TRIES_IN_PLACE = 3;
/** A node that cannot make a container for so long will not make it. */
const NODE_LIMIT_MS: Millis = 5 * 60_000;

/**
 * Words of the kubelet for a container that the node itself cannot make. Those for an image that cannot be pulled or a
 * configuration that is wrong are not among them: the next replica would meet the same, and the delete would reset the
 * backoff of those that are at work on it.
 */
const NODE_WORDS = /^(?:ContainerCreating|CreateContainerError|RunContainerError)$/;

/** The failed replicas of the current template, those that failed first at the head. Unknown never counts. */
export function findFailures(view: RestartView, wedge: WedgeMemory): readonly Failure[] {
  if (!view.replicas.ok) return [];
  const all = view.replicas.value;
  const failures = all
    .filter(({ templateHash, disrupted }) => templateHash === view.templateHash && !disrupted)
    .flatMap((replica) => {
      const failure = failureOf(replica, { view, wedge, all });
      return failure === undefined ? [] : [failure];
    });
  return failures.sort((a, b) => a.since - b.since || (a.uid < b.uid ? -1 : 1));
}

type Around = Readonly<{ view: RestartView; wedge: WedgeMemory; all: readonly RestartReplica[] }>;

function failureOf(replica: RestartReplica, around: Around): Failure | undefined {
  const found =
    crashLoop(replica) ?? localFault(replica, around) ?? wedged(replica, around) ?? nodeCannotStart(replica, around);
  return found === undefined ? undefined : { uid: replica.uid, name: replica.name, ...found };
}

type Found = Omit<Failure, 'uid' | 'name'>;

function crashLoop({ worker, createdAt }: RestartReplica): Found | undefined {
  const { state, waiting, restarts, lastExit } = worker;
  if (state !== 'Waiting' || waiting?.reason !== 'CrashLoopBackOff' || restarts < TRIES_IN_PLACE) return undefined;
  const because = `its worker ended ${count(restarts + 1, 'time')}, last ${sayExit(worker)}`;
  return { reason: 'CrashLoop', since: lastExit?.at ?? createdAt, because };
}

/** How a container ended last, in a few words; memory is named where it was the reason. */
function sayExit({ lastExit, memoryLimit }: WorkerContainer): string {
  if (lastExit === undefined) return 'for a reason that the kubelet does not say';
  if (lastExit.reason !== 'OOMKilled') return `with exit code ${lastExit.code}`;
  const limit = memoryLimit === undefined ? '' : ` of ${memoryLimit}`;
  return `because it used more memory than its limit${limit} (OOMKilled)`;
}

function localFault({ uid }: RestartReplica, { view }: Around): Found | undefined {
  const fault = view.localFaults.find((each) => each.uid === uid);
  if (fault === undefined) return undefined;
  const because = `it alone cannot reach ${titleOf(fault.dependency)}: ${fault.because}`;
  return { reason: 'CannotReachDependency', since: fault.since, because };
}

function wedged({ uid, work }: RestartReplica, { view, wedge }: Around): Found | undefined {
  const free = wedge[uid];
  const { progressTimeoutMs } = view.spec;
  if (free === undefined || !work.ok || view.now - free.since < progressTimeoutMs) return undefined;
  const { active, slots } = work.value;
  const because = `it has taken no job for ${sayLength(view.now - free.since)} although jobs wait and ${slots - active} of its ${count(slots, 'slot')} are free`;
  return { reason: 'Wedged', since: free.since + progressTimeoutMs, because };
}

/** Only where another node has begun a replica of the same template meanwhile: else it is the template, or all nodes. */
function nodeCannotStart(replica: RestartReplica, { view, all }: Around): Found | undefined {
  const { worker, node, scheduledAt, templateHash } = replica;
  if (worker.state !== 'Waiting' || scheduledAt === undefined || worker.restarts > 0) return undefined;
  const { reason = '', message } = worker.waiting ?? {};
  if (!NODE_WORDS.test(reason) || view.now - scheduledAt < NODE_LIMIT_MS) return undefined;
  const elsewhere = all.some(
    (other) =>
      other.node !== node && other.templateHash === templateHash && (other.worker.startedAt ?? 0) > scheduledAt,
  );
  if (!elsewhere) return undefined;
  const words = message === undefined ? reason : `${reason}: ${firstLine(message)}`;
  const because = `node ${node} could not make its container for ${sayLength(view.now - scheduledAt)} (${words}) while another node could`;
  return { reason: 'NodeCannotStart', since: scheduledAt + NODE_LIMIT_MS, because };
}
