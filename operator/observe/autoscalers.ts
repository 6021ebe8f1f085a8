import type { Autoscaler } from '../core/state.ts';
import { keyOf, type ObjectRef, type ResourceType } from '../kube/resources.ts';
import type { Store } from '../kube/store.ts';

export const hpaType: ResourceType = {
  group: 'autoscaling',
  version: 'v2',
  plural: 'horizontalpodautoscalers',
  kind: 'HorizontalPodAutoscaler',
  namespaced: true,
};

/** KEDA's; known to the API server only where KEDA is installed. */
export const scaledObjectType: ResourceType = {
  group: 'keda.sh',
  version: 'v1alpha1',
  plural: 'scaledobjects',
  kind: 'ScaledObject',
  namespaced: true,
};

/** All that is kept of an HPA or a ScaledObject: which Deployment it scales, and how people call it. */
export type AutoscalerObject = ObjectRef &
  Readonly<{ uid: string; resourceVersion: string; autoscaler: Autoscaler; target: string | undefined }>;

type Raw = Readonly<{
  metadata: ObjectRef &
    Readonly<{
      uid: string;
      resourceVersion: string;
      ownerReferences?: readonly Readonly<{ apiVersion: string; kind: string; name: string }>[];
    }>;
  spec?: Readonly<{ scaleTargetRef?: Readonly<{ apiVersion?: string; kind?: string; name?: string }> }>;
}>;

/** Index of the autoscalers by `namespace/name` of the Deployment that they scale. */
export const TARGET_INDEX = 'target';

export const targetIndex = ({ target }: Pick<AutoscalerObject, 'target'>): readonly string[] =>
  target === undefined ? [] : [target];

export const projectHpa = (raw: unknown): AutoscalerObject => {
  const object = raw as Raw;
  const { name, ownerReferences = [] } = object.metadata;
  // KEDA makes an HPA for each ScaledObject; to delete that one alone would help nobody.
  const owner = ownerReferences.find(
    ({ apiVersion, kind }) => kind === scaledObjectType.kind && apiVersion.startsWith(`${scaledObjectType.group}/`),
  );
  const autoscaler: Autoscaler =
    owner === undefined ? { kind: 'HorizontalPodAutoscaler', name } : { kind: 'ScaledObject', name: owner.name };
  return project(object, autoscaler, '');
};

/** Its target is a Deployment where it names no kind. */
export const projectScaledObject = (raw: unknown): AutoscalerObject => {
  const object = raw as Raw;
  return project(object, { kind: 'ScaledObject', name: object.metadata.name }, 'Deployment');
};

function project({ metadata, spec }: Raw, autoscaler: Autoscaler, defaultKind: string): AutoscalerObject {
  const { namespace, name, uid, resourceVersion } = metadata;
  const { kind = defaultKind, apiVersion = 'apps/v1', name: scaled } = spec?.scaleTargetRef ?? {};
  const isDeployment = kind === 'Deployment' && apiVersion.startsWith('apps/') && scaled !== undefined;
  const target = isDeployment ? keyOf({ namespace, name: scaled }) : undefined;
  return { namespace, name, uid, resourceVersion, autoscaler, target };
}

export type AutoscalerStore = Pick<Store<AutoscalerObject>, 'byIndex'>;

/** What scales the Deployment besides the operator; a ScaledObject and the HPA that KEDA made for it are one. */
export function findAutoscalers(stores: readonly AutoscalerStore[], deployment: ObjectRef): readonly Autoscaler[] {
  const found = stores.flatMap((store) => store.byIndex(TARGET_INDEX, keyOf(deployment)));
  const byName = new Map(found.map(({ autoscaler }) => [`${autoscaler.kind}/${autoscaler.name}`, autoscaler]));
  return [...byName.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, autoscaler]) => autoscaler);
}
