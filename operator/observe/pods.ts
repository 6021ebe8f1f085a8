import { z } from 'zod';
import { DELETION_COST_ANNOTATION, PROVEN_IDLE_ANNOTATION, SERVING_LABEL, WORKER_CONTAINER } from '../api/names.ts';
import { LOWEST_COST } from '../core/drain/foreign-cost.ts';
import { readMark } from '../core/drain/mark-text.ts';
import type { Mark } from '../core/drain/view.ts';
import type { Millis } from '../core/known.ts';
import type { WorkerContainer } from '../core/restarts/view.ts';
import { type Identity, identityOf, poolOf, type Raw } from './cluster.ts';
import type { Ending } from '../core/state.ts';

/** A pod of a pool, and where its metrics are. */
export type PodObject = Identity &
  Readonly<{
    pool: string;
    phase: string;
    ready: boolean;
    terminating: boolean;
    createdAt: Millis;
    readyAt?: Millis;
    templateHash: string;
    labels: Readonly<Record<string, string>>;
    cannotStart?: string;
    node?: string;
    scheduledAt?: Millis;
    unscheduledBecause?: string;
    disrupted: boolean;
    worker: WorkerContainer;
    /** When it was told to go. */
    deletedAt?: Millis;
    /** The last end of its worker's process, and what that said of its jobs. */
    ended?: Pick<Ending, 'at' | 'handedBack' | 'lost'>;
    /** The mark of a proven replica. */
    mark?: Mark;
    /** A pod-deletion-cost of somebody else. */
    foreignCost?: string;
    address?: string;
    port: number;
  }>;

type RawPod = Raw &
  Readonly<{
    spec: Readonly<{
      nodeName?: string;
      containers: readonly Readonly<{
        name: string;
        ports?: readonly Readonly<{ name?: string; containerPort: number }>[];
        resources?: Readonly<{ limits?: Readonly<{ memory?: string }> }>;
      }>[];
    }>;
    status?: Readonly<{
      phase?: string;
      podIP?: string;
      initContainerStatuses?: readonly RawContainerStatus[];
      containerStatuses?: readonly RawContainerStatus[];
      conditions?: readonly RawCondition[];
    }>;
  }>;

type RawCondition = Readonly<{
  type: string;
  status: string;
  lastTransitionTime?: string;
  reason?: string;
  message?: string;
}>;

type RawExit = Readonly<{ exitCode?: number; reason?: string; finishedAt?: string; message?: string }>;

type RawContainerStatus = Readonly<{
  name?: string;
  restartCount?: number;
  state?: Readonly<{
    waiting?: Readonly<{ reason?: string; message?: string }>;
    running?: Readonly<{ startedAt?: string }>;
    terminated?: RawExit;
  }>;
  lastState?: Readonly<{ terminated?: RawExit }>;
}>;

/** The port of the worker's endpoints when the template names none. */
const DEFAULT_PORT = 3001;

export function projectPod(raw: unknown): PodObject {
  const object = raw as RawPod;
  const { metadata, spec, status = {} } = object;
  const readyAt = readySince(status);
  const cannotStart = cannotStartBecause(status);
  return {
    ...identityOf(object),
    pool: poolOf(object),
    phase: status.phase ?? 'Unknown',
    ready: readyAt !== undefined,
    terminating: metadata.deletionTimestamp !== undefined,
    createdAt: Date.parse(metadata.creationTimestamp ?? ''),
    ...(readyAt === undefined ? {} : { readyAt }),
    ...labelsOf(object),
    ...(cannotStart === undefined ? {} : { cannotStart }),
    ...(spec.nodeName === undefined ? {} : { node: spec.nodeName }),
    ...scheduling(status),
    disrupted: status.conditions?.some(({ type, status: is }) => type === 'DisruptionTarget' && is === 'True') ?? false,
    worker: viewWorker(object),
    ...deletionOf(metadata),
    ...endedOf(status),
    ...leavingOf(object),
    ...(status.podIP === undefined ? {} : { address: status.podIP }),
    port: portOf(spec),
  };
}

const labelsOf = ({ metadata: { labels = {} } }: RawPod): Pick<PodObject, 'labels' | 'templateHash'> => ({
  labels,
  templateHash: labels['pod-template-hash'] ?? '',
});

function leavingOf({ metadata }: RawPod): Pick<PodObject, 'mark' | 'foreignCost'> {
  const { labels = {}, annotations = {} } = metadata;
  const proof = annotations[PROVEN_IDLE_ANNOTATION];
  const cost = annotations[DELETION_COST_ANNOTATION];
  const isMarked = labels[SERVING_LABEL] !== 'true' && proof !== undefined;
  const isOwn = isMarked && cost === String(LOWEST_COST);
  return {
    // A proven replica whose cost somebody has changed does not go first any more: the mark is of no proof.
    ...(isMarked ? { mark: isOwn ? readMark(proof) : { ...readMark(proof), of: '' } } : {}),
    ...(cost === undefined || isOwn ? {} : { foreignCost: cost }),
  };
}

/** When the pod became Ready, undefined while it is not. */
function readySince({ conditions }: NonNullable<RawPod['status']>): Millis | undefined {
  const ready = conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' ? Date.parse(ready.lastTransitionTime ?? '') || 0 : undefined;
}

/** What the kubelet waits for by itself. */
const ON_ITS_WAY: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing']);
/** A container that ends is started again; one that has ended so often will not run by itself. */
const CRASHES_IN_PLACE = 3;

/** Why a container of the pod does not run, in the kubelet's words, when that will not end by itself. */
function cannotStartBecause({
  initContainerStatuses = [],
  containerStatuses = [],
}: NonNullable<RawPod['status']>): string | undefined {
  for (const { restartCount = 0, state } of [...initContainerStatuses, ...containerStatuses]) {
    const { reason, message } = state?.waiting ?? {};
    if (reason === undefined || ON_ITS_WAY.has(reason)) continue;
    if (reason === 'CrashLoopBackOff' && restartCount < CRASHES_IN_PLACE) continue;
    return message === undefined ? reason : `${reason}: ${message}`;
  }
  return undefined;
}

function portOf({ containers }: RawPod['spec']): number {
  const worker = containers.find(({ name }) => name === WORKER_CONTAINER);
  return worker?.ports?.find(({ name }) => name === 'http')?.containerPort ?? DEFAULT_PORT;
}

/** When it got its node; else what the scheduler says of it. */
function scheduling({
  conditions,
}: NonNullable<RawPod['status']>): Pick<PodObject, 'scheduledAt' | 'unscheduledBecause'> {
  const scheduled = conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'True') return { scheduledAt: Date.parse(scheduled.lastTransitionTime ?? '') || 0 };
  if (scheduled?.status !== 'False') return {};
  return { unscheduledBecause: scheduled.message ?? scheduled.reason ?? 'it has no node yet' };
}

/** The worker's container; where an init container keeps ending before it, that one, for it is what fails. */
function viewWorker({ spec, status = {} }: RawPod): WorkerContainer {
  const { initContainerStatuses = [], containerStatuses = [] } = status;
  const own = containerStatuses.find(({ name }) => name === WORKER_CONTAINER);
  const before = initContainerStatuses.find(({ state }) => state?.waiting?.reason === 'CrashLoopBackOff');
  const container = before ?? own;
  const memory = spec.containers.find(({ name }) => name === WORKER_CONTAINER)?.resources?.limits?.memory;
  return {
    ...stateOf(container),
    restarts: container?.restartCount ?? 0,
    ...(memory === undefined ? {} : { memoryLimit: memory }),
  };
}

function stateOf(
  container: RawContainerStatus | undefined,
): Pick<WorkerContainer, 'state' | 'waiting' | 'startedAt' | 'lastExit'> {
  const { waiting, running, terminated } = container?.state ?? {};
  const lastExit = exitOf(terminated ?? container?.lastState?.terminated);
  if (running !== undefined) return { state: 'Running', startedAt: timeOf(running.startedAt), ...lastExit };
  if (terminated !== undefined) return { state: 'Terminated', ...lastExit };
  if (waiting === undefined) return { state: 'Absent' };
  const { reason = 'Waiting', message } = waiting;
  return { state: 'Waiting', waiting: { reason, ...(message === undefined ? {} : { message }) }, ...lastExit };
}

const timeOf = (text: string | undefined): Millis => Date.parse(text ?? '') || 0;

function exitOf(exit: RawExit | undefined): Pick<WorkerContainer, 'lastExit'> {
  if (exit === undefined) return {};
  const { exitCode: code = -1, reason, finishedAt } = exit;
  return { lastExit: { at: timeOf(finishedAt), code, ...(reason === undefined ? {} : { reason }) } };
}

/** The deletion's time is that of its end: the grace is in it. */
function deletionOf({
  deletionTimestamp,
  deletionGracePeriodSeconds = 0,
}: RawPod['metadata']): Pick<PodObject, 'deletedAt'> {
  if (deletionTimestamp === undefined) return {};
  return { deletedAt: timeOf(deletionTimestamp) - deletionGracePeriodSeconds * 1000 };
}

/** As the worker writes it (docs/worker-endpoints.md); an image may write anything else, or nothing. */
const lastWords = z.object({ handedBack: z.number().int().min(0), lost: z.number().int().min(0) });

function endedOf({ containerStatuses = [] }: NonNullable<RawPod['status']>): Pick<PodObject, 'ended'> {
  const { state, lastState } = containerStatuses.find(({ name }) => name === WORKER_CONTAINER) ?? {};
  const exit = state?.terminated ?? lastState?.terminated;
  const words = lastWords.safeParse(parseJson(exit?.message));
  return exit === undefined || !words.success ? {} : { ended: { at: timeOf(exit.finishedAt), ...words.data } };
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
