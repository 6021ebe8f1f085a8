import { API_GROUP, API_VERSION, KIND, PLURAL, POOL_LABEL } from '../api/names.ts';
import { type ParsedPool, parsePool } from '../api/parse.ts';
import type { Millis } from '../core/known.ts';
import type { DeploymentView, ReplicaSetView } from '../core/state.ts';
import type { ResourceType } from '../kube/resources.ts';

export const poolType: ResourceType = {
  group: API_GROUP,
  version: API_VERSION,
  plural: PLURAL,
  kind: KIND,
  namespaced: true,
};

/** The identity that every stored object keeps. */
export type Identity = Readonly<{ namespace: string; name: string; uid: string; resourceVersion: string }>;

/** A pool as it came, or what is wrong with it; `generation` and `annotationsKey` tell a change of intent from a new status. */
export type PoolObject = Identity &
  Readonly<{ generation: number; createdAt: Millis; intentKey: string; parsed: ParsedPool }>;

export type ReplicaSetObject = Identity & Readonly<{ pool: string; view: ReplicaSetView }>;

export type DeploymentObject = Identity & Readonly<{ pool: string; view: DeploymentView }>;

/** What every object of the API server has. */
export type Raw = Readonly<{
  metadata: Readonly<{
    namespace: string;
    name: string;
    uid: string;
    resourceVersion: string;
    generation?: number;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    deletionGracePeriodSeconds?: number;
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

export const identityOf = ({ metadata }: Raw): Identity => ({
  namespace: metadata.namespace,
  name: metadata.name,
  uid: metadata.uid,
  resourceVersion: metadata.resourceVersion,
});

export const poolOf = ({ metadata }: Raw): string =>
  `${metadata.namespace}/${metadata.labels?.[POOL_LABEL] ?? metadata.name}`;

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
    ...namesOf(metadata),
    status: countsOf(status),
    ...(stuck === undefined ? {} : { stuckBecause: stuck }),
    ...(refused === undefined ? {} : { refusedBecause: refused }),
  };
}

const namesOf = ({
  labels = {},
  annotations = {},
}: Raw['metadata']): Pick<DeploymentView, 'labels' | 'annotations'> => ({
  labels,
  annotations,
});

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

type RawReplicaSet = Raw &
  Readonly<{
    spec: Readonly<{
      replicas?: number;
      template?: Readonly<{ metadata?: Readonly<{ labels?: Readonly<Record<string, string>> }> }>;
    }>;
    status?: Readonly<{ observedGeneration?: number; replicas?: number; fullyLabeledReplicas?: number }>;
  }>;

/** The Deployment controller's own count of templates (kubernetes/pkg/controller/deployment/util). */
const REVISION = 'deployment.kubernetes.io/revision';

export function projectReplicaSet(raw: unknown): ReplicaSetObject {
  const object = raw as RawReplicaSet;
  const { metadata, spec, status = {} } = object;
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return {
    ...identityOf(object),
    pool: poolOf(object),
    view: {
      name: metadata.name,
      ...(owner === undefined ? {} : { ownerUid: owner.uid }),
      templateHash: metadata.labels?.['pod-template-hash'] ?? '',
      labels: templateLabelsOf(spec),
      revision: Number(metadata.annotations?.[REVISION]) || 0,
      generation: metadata.generation ?? 0,
      observedGeneration: status.observedGeneration ?? 0,
      replicas: spec.replicas ?? 1,
      status: podsOf(status),
    },
  };
}

const templateLabelsOf = ({ template }: RawReplicaSet['spec']): ReplicaSetView['labels'] =>
  template?.metadata?.labels ?? {};

const podsOf = ({ replicas = 0, fullyLabeledReplicas = 0 }: NonNullable<RawReplicaSet['status']>) => ({
  replicas,
  unmarked: fullyLabeledReplicas,
});
