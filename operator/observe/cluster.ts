import { API_GROUP, API_VERSION, KIND, PLURAL, POOL_LABEL, WORKER_CONTAINER } from '../api/names.ts';
import { type ParsedPool, parsePool } from '../api/parse.ts';
import type { Millis } from '../core/known.ts';
import type { DeploymentView } from '../core/state.ts';
import type { ResourceType } from '../kube/resources.ts';

export const poolType: ResourceType = {
  group: API_GROUP,
  version: API_VERSION,
  plural: PLURAL,
  kind: KIND,
  namespaced: true,
};

/** The identity that every stored object keeps. */
type Identity = Readonly<{ namespace: string; name: string; uid: string; resourceVersion: string }>;

/** A pool as it came, or what is wrong with it; `generation` and `annotationsKey` tell a change of intent from a new status. */
export type PoolObject = Identity &
  Readonly<{ generation: number; createdAt: Millis; intentKey: string; parsed: ParsedPool }>;

export type DeploymentObject = Identity & Readonly<{ pool: string; view: DeploymentView }>;

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
    cannotStart?: string;
    address?: string;
    port: number;
  }>;

type Raw = Readonly<{
  metadata: Readonly<{
    namespace: string;
    name: string;
    uid: string;
    resourceVersion: string;
    generation?: number;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    labels?: Readonly<Record<string, string>>;
    annotations?: Readonly<Record<string, string>>;
    ownerReferences?: readonly Readonly<{ uid: string; kind: string; controller?: boolean }>[];
    managedFields?: readonly ManagedFields[];
  }>;
}>;

type ManagedFields = Readonly<{
  manager?: string;
  fieldsV1?: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
}>;

const identityOf = ({ metadata }: Raw): Identity => ({
  namespace: metadata.namespace,
  name: metadata.name,
  uid: metadata.uid,
  resourceVersion: metadata.resourceVersion,
});

const poolOf = ({ metadata }: Raw): string => `${metadata.namespace}/${metadata.labels?.[POOL_LABEL] ?? metadata.name}`;

export function projectPool(raw: unknown): PoolObject {
  const object = raw as Raw;
  const { generation = 0, creationTimestamp = '', deletionTimestamp, annotations } = object.metadata;
  return {
    ...identityOf(object),
    generation,
    createdAt: Date.parse(creationTimestamp),
    // A status write changes none of these: it starts no pass.
    intentKey: JSON.stringify([object.metadata.uid, generation, deletionTimestamp, annotations]),
    parsed: parsePool(raw),
  };
}

type RawDeployment = Raw &
  Readonly<{
    spec: Readonly<{ replicas?: number }>;
    status?: Readonly<{
      observedGeneration?: number;
      replicas?: number;
      updatedReplicas?: number;
      readyReplicas?: number;
      availableReplicas?: number;
      conditions?: readonly Readonly<{ type: string; status: string; reason?: string; message?: string }>[];
    }>;
  }>;

export function projectDeployment(raw: unknown): DeploymentObject {
  const object = raw as RawDeployment;
  return { ...identityOf(object), pool: poolOf(object), view: viewDeployment(object) };
}

function viewDeployment({ metadata, spec, status = {} }: RawDeployment): DeploymentView {
  const manager = replicasManager(metadata.managedFields ?? []);
  const owner = metadata.ownerReferences?.find(({ controller, kind }) => controller === true && kind === KIND);
  const stuck = conditionMessage(status, { type: 'Progressing', status: 'False' });
  const refused = conditionMessage(status, { type: 'ReplicaFailure', status: 'True' });
  return {
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    generation: metadata.generation ?? 0,
    observedGeneration: status.observedGeneration ?? 0,
    replicas: spec.replicas ?? 1,
    ...(manager === undefined ? {} : { replicasManager: manager }),
    ...(owner === undefined ? {} : { ownerUid: owner.uid }),
    terminating: metadata.deletionTimestamp !== undefined,
    annotations: metadata.annotations ?? {},
    status: countsOf(status),
    ...(stuck === undefined ? {} : { stuckBecause: stuck }),
    ...(refused === undefined ? {} : { refusedBecause: refused }),
  };
}

/** What the cluster says beside a condition that has this status; undefined where it has another, or none. */
function conditionMessage(
  { conditions }: NonNullable<RawDeployment['status']>,
  wanted: Readonly<{ type: string; status: string }>,
): string | undefined {
  const found = conditions?.find(({ type, status }) => type === wanted.type && status === wanted.status);
  return found === undefined ? undefined : (found.message ?? found.reason ?? 'no reason given');
}

const countsOf = (status: NonNullable<RawDeployment['status']>): DeploymentView['status'] => ({
  replicas: status.replicas ?? 0,
  updated: status.updatedReplicas ?? 0,
  ready: status.readyReplicas ?? 0,
  available: status.availableReplicas ?? 0,
});

/** The field manager whose entry holds `f:spec.f:replicas`; the last one written when several share it. */
function replicasManager(entries: readonly ManagedFields[]): string | undefined {
  return entries.findLast(({ fieldsV1 }) => fieldsV1?.['f:spec']?.['f:replicas'] !== undefined)?.manager;
}

type RawPod = Raw &
  Readonly<{
    spec: Readonly<{
      containers: readonly Readonly<{
        name: string;
        ports?: readonly Readonly<{ name?: string; containerPort: number }>[];
      }>[];
    }>;
    status?: Readonly<{
      phase?: string;
      podIP?: string;
      initContainerStatuses?: readonly RawContainerStatus[];
      containerStatuses?: readonly RawContainerStatus[];
      conditions?: readonly Readonly<{ type: string; status: string; lastTransitionTime?: string }>[];
    }>;
  }>;

type RawContainerStatus = Readonly<{
  restartCount?: number;
  state?: Readonly<{ waiting?: Readonly<{ reason?: string; message?: string }> }>;
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
    templateHash: metadata.labels?.['pod-template-hash'] ?? '',
    ...(cannotStart === undefined ? {} : { cannotStart }),
    ...(status.podIP === undefined ? {} : { address: status.podIP }),
    port: portOf(spec),
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
