import { isNotFound } from './errors.ts';
import { apiVersionOf, leases, type ObjectRef, resourcePath } from './resources.ts';
import type { KubeTransport } from './transport.ts';
import { type RawObject, readWatchEvents } from './watch-events.ts';

/** `spec` of a coordination.k8s.io/v1 Lease. An empty holder means that it was released. */
export type LeaseSpec = Readonly<{
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}>;

export type StoredLease = Readonly<{
  metadata: Readonly<{ namespace: string; name: string; resourceVersion: string; labels?: Record<string, string> }>;
  spec: LeaseSpec;
}>;

export type LeaseApi = Readonly<{
  read(signal: AbortSignal): Promise<StoredLease | undefined>;
  /** 409 when it exists. */
  create(spec: LeaseSpec, signal: AbortSignal): Promise<StoredLease>;
  /** 409 when it has changed since `seen`. */
  replace(seen: StoredLease, spec: LeaseSpec, signal: AbortSignal): Promise<StoredLease>;
  /** Each change after `resourceVersion`; undefined for a deletion. Ends or throws when the watch ends. */
  watch(resourceVersion: string, signal: AbortSignal): AsyncIterable<StoredLease | undefined>;
}>;

export function createLeaseApi(transport: KubeTransport, ref: ObjectRef): LeaseApi {
  const path = resourcePath(leases, ref);
  const collection = resourcePath(leases, { namespace: ref.namespace });
  const head = { apiVersion: apiVersionOf(leases), kind: leases.kind };
  return {
    async read(signal) {
      try {
        return await transport.request<StoredLease>({ method: 'GET', path, signal });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    create: (spec, signal) =>
      transport.request({ method: 'POST', path: collection, body: { ...head, metadata: ref, spec }, signal }),
    replace({ metadata }, spec, signal) {
      const { resourceVersion, labels } = metadata;
      const body = { ...head, metadata: { ...ref, resourceVersion, ...(labels ? { labels } : {}) }, spec };
      return transport.request({ method: 'PUT', path, body, signal });
    },
    async *watch(resourceVersion, signal) {
      const query = { watch: '1', resourceVersion, fieldSelector: `metadata.name=${ref.name}`, timeoutSeconds: '600' };
      const chunks = await transport.stream({ method: 'GET', path: collection, query, signal });
      for await (const event of readWatchEvents(collection, chunks)) {
        if (event.type !== 'BOOKMARK') yield event.type === 'DELETED' ? undefined : asLease(event.object);
      }
    },
  };
}

const asLease = (object: RawObject): StoredLease => object as unknown as StoredLease;

/** A `MicroTime`: RFC 3339 with six digits. */
export const microTime = (date: Date): string => date.toISOString().replace('Z', '000Z');
