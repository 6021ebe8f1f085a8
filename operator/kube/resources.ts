/** A namespaced resource of the API server. `group` is empty for the core group. */
export type ResourceType = Readonly<{
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: true;
}>;

export const pods: ResourceType = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };
export const leases: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};
export const events: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};
export const deployments: ResourceType = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
};

export const replicaSets: ResourceType = {
  group: 'apps',
  version: 'v1',
  plural: 'replicasets',
  kind: 'ReplicaSet',
  namespaced: true,
};

/** Names one object. */
export type ObjectRef = Readonly<{ namespace: string; name: string }>;

/** The `apiVersion` of a type: `v1`, `apps/v1`. */
export const apiVersionOf = (type: ResourceType): string =>
  type.group === '' ? type.version : `${type.group}/${type.version}`;

/** The key under which stores and queues know an object: `namespace/name`. */
export const keyOf = (ref: ObjectRef): string => `${ref.namespace}/${ref.name}`;

/** The inverse of `keyOf`. */
export function refOf(key: string): ObjectRef {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export type PathParts = Readonly<{ namespace?: string | undefined; name?: string; subresource?: string }>;

/** The URL path of a collection (no `name`), an object or a subresource, without query. */
export function resourcePath(type: ResourceType, parts: PathParts = {}): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const namespace = parts.namespace === undefined ? '' : `/namespaces/${encodeURIComponent(parts.namespace)}`;
  const name = parts.name === undefined ? '' : `/${encodeURIComponent(parts.name)}`;
  const subresource = parts.subresource === undefined ? '' : `/${parts.subresource}`;
  return `${root}${namespace}/${type.plural}${name}${subresource}`;
}
