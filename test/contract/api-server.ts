// A person's view of the cluster's API server: objects as plain JSON, any path, any account.
import type { KubeRequest } from '../../operator/kube/request.ts';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type CredentialSource, credentialsFromKubeConfig } from '../../operator/kube/credentials.ts';
import { isNotFound, KubeError } from '../../operator/kube/errors.ts';
import { createTransport, type KubeTransport, type TransportOptions } from '../../operator/kube/transport.ts';
import { until } from '../cluster/until.ts';

export type KubeObject = Readonly<{
  apiVersion: string;
  kind: string;
  metadata: Readonly<{ name: string; namespace?: string }>;
}> &
  Readonly<Record<string, unknown>>;

const ROOT = path.join(import.meta.dirname, '..', '..');

/** The objects of a checked-in YAML file, named from the root of the checkout. */
export const readManifests = async (file: string): Promise<readonly KubeObject[]> =>
  parseAllDocuments(await readFile(path.join(ROOT, file), 'utf8')).map((document) => {
    const [problem] = document.errors;
    if (problem) throw problem;
    return document.toJS() as KubeObject;
  });

/** Pod → pods, AgentWorkerPool → agentworkerpools: enough for every kind that this project uses. */
const pluralOf = (kind: string): string => `${kind.toLowerCase()}s`;

export const collectionPath = ({ apiVersion, kind, metadata }: KubeObject): string => {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const namespace = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
  return `${root}${namespace}/${pluralOf(kind)}`;
};

export const objectPath = (object: KubeObject): string => `${collectionPath(object)}/${object.metadata.name}`;

type Account = Readonly<{ user: string; groups: readonly string[] }>;

const withHeaders = (source: CredentialSource, extra: Readonly<Record<string, string>>): CredentialSource => {
  const extend = async (reading: ReturnType<CredentialSource['get']>) => {
    const credentials = await reading;
    return { ...credentials, headers: { ...credentials.headers, ...extra } };
  };
  return { get: () => extend(source.get()), renew: () => extend(source.renew()) };
};

/** To the cluster of AWP_KUBECONFIG, as its administrator or as the account that it is given. */
export const transportAs = (
  account: Account | undefined,
  { limits, ...options }: Partial<TransportOptions> = {},
): KubeTransport => {
  const kubeconfig = process.env['AWP_KUBECONFIG'];
  if (!kubeconfig) throw new Error('AWP_KUBECONFIG is not set: run this with `npm test -- contract`');
  const source = credentialsFromKubeConfig({ kubeconfig });
  // One header holds one group; the API server adds system:authenticated by itself.
  const headers = account && { 'Impersonate-User': account.user, 'Impersonate-Group': account.groups[0] ?? '' };
  return createTransport({
    credentials: headers ? withHeaders(source, headers) : source,
    ...options,
    limits: { rate: { perSecond: 1000, burst: 1000 }, ...limits },
  });
};

/** Speaks to the cluster of AWP_KUBECONFIG, as its administrator or as the account that it is given. */
export const connect = (account?: Account) => {
  const transport = transportAs(account);
  const strict = { fieldValidation: 'Strict' };
  return {
    request: <T>(request: KubeRequest) => transport.request<T>(request),
    get: <T>(objectOrPath: KubeObject | string) =>
      transport.request<T>({
        method: 'GET',
        path: typeof objectOrPath === 'string' ? objectOrPath : objectPath(objectOrPath),
      }),
    create: <T>(object: KubeObject, query: KubeRequest['query'] = {}) =>
      transport.request<T>({
        method: 'POST',
        path: collectionPath(object),
        body: object,
        query: { ...strict, ...query },
      }),
    /** As `kubectl apply --server-side --force-conflicts --validate=strict` does. */
    apply: <T>(object: KubeObject, query: KubeRequest['query'] = {}) =>
      transport.request<T>({
        method: 'PATCH',
        path: objectPath(object),
        body: object,
        contentType: 'application/apply-patch+yaml',
        query: { ...strict, fieldManager: 'contract', force: 'true', ...query },
      }),
    remove: async (object: KubeObject): Promise<void> => {
      try {
        await transport.request({ method: 'DELETE', path: objectPath(object) });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
    close: () => transport.close(),
  };
};

export type Api = ReturnType<typeof connect>;

/** The server's refusal of a request that must not succeed. */
export const refusalOf = async (request: Promise<unknown>): Promise<KubeError> => {
  try {
    await request;
  } catch (error) {
    if (error instanceof KubeError) return error;
    throw error;
  }
  throw new Error('the API server accepted what it must refuse');
};

/** What the server says is wrong: each field with its sentence. */
export const causesOf = (refusal: KubeError): readonly Readonly<{ field: string; message: string }>[] =>
  (refusal.body?.details?.causes ?? []).map(({ field = '', message = '' }) => ({ field, message }));

/** Makes a namespace of this test's own and returns it; remove it afterwards. */
export const makeNamespace = async (api: Api, purpose: string): Promise<KubeObject> => {
  const name = `${purpose}-${Math.random().toString(36).slice(2, 8)}`;
  const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  await api.create(namespace);
  return namespace;
};

type Definition = Readonly<{
  spec: { versions: unknown[] };
  status?: { conditions?: { type: string; status: string; message: string }[] };
}>;

/** Applies the checked-in CRD and returns it once the API server serves it. */
export const installCrd = async (api: Api): Promise<Definition> => {
  const [crd] = await readManifests('crds/agentpool.dev_agentworkerpools.yaml');
  if (!crd) throw new Error('the CRD file is empty');
  await api.apply(crd);
  const definition = await until(
    async () => {
      const read = await api.get<Definition>(crd);
      const conditions = read.status?.conditions ?? [];
      return conditions.some(({ type, status }) => type === 'Established' && status === 'True') && read;
    },
    { what: 'the CRD is Established' },
  );
  const isServed = () => api.get('/apis/agentpool.dev/v1alpha1/agentworkerpools').catch(() => false as const);
  await until(async () => (await isServed()) !== false, { what: 'pools are served' });
  return definition;
};
