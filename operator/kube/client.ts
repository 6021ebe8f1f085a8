import { isNotFound } from './errors.ts';
import { type ListScope, listInPages } from './list.ts';
import type { KubeRequest } from './request.ts';
import { apiVersionOf, type ObjectRef, type ResourceType, resourcePath } from './resources.ts';
import type { KubeTransport } from './transport.ts';
import type { RawObject } from './watch-events.ts';
import { createWriter, type WriteRequest, type WriterOptions } from './writer.ts';

/** The metadata that a written object must have. */
export type NamedObject = Readonly<{
  metadata: Readonly<{ namespace: string; name: string; resourceVersion?: string }>;
}>;
/** An object whose write is refused with 409 unless it is still at this version. */
export type VersionedObject = Readonly<{
  metadata: Readonly<{ namespace: string; name: string; resourceVersion: string }>;
}>;

/** The number of replicas of the object that is this one, in this version. */
export type ScaledObject = Readonly<{
  metadata: Readonly<{ namespace: string; name: string; uid: string; resourceVersion: string }>;
  spec: Readonly<{ replicas: number }>;
}>;

export type ListOptions = Omit<ListScope, 'accept'>;
export type Listed<T> = Readonly<{ items: T[]; resourceVersion: string }>;
export type ApplyOptions = Readonly<{ fieldManager: string; force: boolean; signal?: AbortSignal | undefined }>;
export type ScaleOptions = Readonly<{ fieldManager: string; signal?: AbortSignal | undefined }>;
export type CallOptions = Readonly<{ signal?: AbortSignal | undefined }>;
export type DeletePreconditions = Readonly<{ uid: string; resourceVersion: string; gracePeriodSeconds?: number }>;

/**
 * Typed calls to the API server. No harmful write can be sent without a precondition: an apply either names the
 * version that it was decided on or may only create, and there is no plain update, patch or delete. Errors are
 * `KubeError`; 409 means read again and decide again.
 */
export type KubeClient = Readonly<{
  /** The object, or undefined when there is none. */
  get<T>(type: ResourceType, ref: ObjectRef, options?: CallOptions): Promise<T | undefined>;
  /** All objects, read consistently, in pages; starts again when a page's version expires. */
  list<T>(type: ResourceType, options?: ListOptions): Promise<Listed<T>>;
  /**
   * Server-side apply. With `metadata.resourceVersion` it changes that version or fails with 409; without one it
   * creates the object, and fails with 409 when it exists.
   */
  apply<T>(type: ResourceType, body: NamedObject, options: ApplyOptions): Promise<T>;
  /**
   * Writes the number of replicas alone, by the `scale` subresource; 409 when it is another object or was changed, 404
   * when it is gone. It takes the field from whoever else had set it.
   */
  scale(type: ResourceType, body: ScaledObject, options: ScaleOptions): Promise<void>;
  /** POST; 409 (AlreadyExists) when it exists. `fieldManager` is for objects that nobody applies later. */
  create<T>(type: ResourceType, body: NamedObject, options?: CallOptions): Promise<T>;
  replace<T>(type: ResourceType, body: VersionedObject, options?: CallOptions): Promise<T>;
  replaceStatus<T>(type: ResourceType, body: VersionedObject, options?: CallOptions): Promise<T>;
  mergePatch<T>(type: ResourceType, body: VersionedObject, options?: CallOptions): Promise<T>;
  /** `gone` when there was no such object; 409 when it is another one or was changed. */
  deleteWithPreconditions(
    type: ResourceType,
    ref: ObjectRef,
    options: DeletePreconditions & CallOptions,
  ): Promise<'deleted' | 'gone'>;
}>;

export type ClientOptions = WriterOptions;

/**
 * A version that no stored object has: etcd's first write gets a higher one. Applied with it, an object that exists
 * answers 409 and one that does not is created (shown against the real API server by the contract suite).
 */
const versionOfNothing = '1';

export function createKubeClient(options: ClientOptions): KubeClient {
  const { transport } = options;
  const { write, tell } = createWriter(options);
  return {
    get: (type, ref, call) => getOrUndefined(transport, { method: 'GET', path: resourcePath(type, ref), ...call }),
    list: (type, scope = {}) => listAll(transport, type, scope),
    apply: (type, body, { fieldManager, force, signal }) =>
      write('apply', {
        ...requestFor(type, changingOrCreating(body), { signal }),
        method: 'PATCH',
        contentType: 'application/apply-patch+yaml',
        query: { fieldManager, force: String(force) },
      }),
    scale: async (type, { metadata, spec }, { fieldManager, signal }) => {
      const body = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata, spec };
      await write('scale', {
        ...requestFor(type, { metadata }, { signal }),
        path: resourcePath(type, { ...refFrom({ metadata }), subresource: 'scale' }),
        query: { fieldManager },
        body,
      });
    },
    create: (type, body, call) =>
      write('create', {
        ...requestFor(type, body, call),
        method: 'POST',
        path: resourcePath(type, { namespace: body.metadata.namespace }),
        idempotent: false,
      }),
    replace: (type, body, call) => write('replace', requestFor(type, body, call)),
    replaceStatus: (type, body, call) =>
      write('status', {
        ...requestFor(type, body, call),
        path: resourcePath(type, { ...refFrom(body), subresource: 'status' }),
      }),
    mergePatch: (type, body, call) =>
      write('patch', {
        ...requestFor(type, body, call),
        method: 'PATCH',
        contentType: 'application/merge-patch+json',
      }),
    async deleteWithPreconditions(type, ref, deletion) {
      const answer = await deleteObject(transport, { type, ref, deletion });
      tell(type, ref, answer);
      return answer === undefined ? 'gone' : 'deleted';
    },
  };
}

/** A PUT. Every write here carries a precondition, so sending one twice does no harm: the second meets a 409. */
function requestFor(type: ResourceType, body: NamedObject, call: CallOptions = {}): WriteRequest {
  const ref = refFrom(body);
  // Lists leave apiVersion and kind out of their items; a written body must have them.
  const typed = { ...body, apiVersion: apiVersionOf(type), kind: type.kind };
  return { type, ref, method: 'PUT', path: resourcePath(type, ref), body: typed, idempotent: true, ...call };
}

const refFrom = (body: NamedObject): ObjectRef => ({ namespace: body.metadata.namespace, name: body.metadata.name });

const changingOrCreating = (body: NamedObject): NamedObject => ({
  ...body,
  metadata: { ...body.metadata, resourceVersion: body.metadata.resourceVersion ?? versionOfNothing },
});

async function getOrUndefined<T>(transport: KubeTransport, request: KubeRequest): Promise<T | undefined> {
  try {
    return await transport.request<T>(request);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function listAll<T>(transport: KubeTransport, type: ResourceType, scope: ListOptions): Promise<Listed<T>> {
  let items: T[] = [];
  const resourceVersion = await listInPages(
    { transport, type, scope },
    {
      take: (item) => void items.push(item as T),
      restart: () => {
        items = [];
      },
    },
  );
  return { items, resourceVersion };
}

type Deletion = { type: ResourceType; ref: ObjectRef; deletion: DeletePreconditions & CallOptions };

function deleteObject(transport: KubeTransport, { type, ref, deletion }: Deletion): Promise<RawObject | undefined> {
  const { uid, resourceVersion, gracePeriodSeconds, signal } = deletion;
  return getOrUndefined<RawObject>(transport, {
    method: 'DELETE',
    path: resourcePath(type, ref),
    idempotent: true,
    signal,
    body: {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: { uid, resourceVersion },
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    },
  });
}
