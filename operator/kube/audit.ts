import { type ListScope, listInPages } from './list.ts';
import { keyOf, type ResourceType } from './resources.ts';
import type { Projected, Store } from './store.ts';
import type { KubeTransport } from './transport.ts';
import { compareVersions } from './versions.ts';
import { sleep } from './wait.ts';
import type { RawObject } from './watch-events.ts';

export type AuditTimings = Readonly<{
  /** Between two audits, give or take a tenth. */
  auditMs: number;
  /** How long a difference must stand to count: longer than a dead watch can stay unnoticed. */
  auditConfirmMs: number;
}>;

export const defaultAuditTimings: AuditTimings = { auditMs: 900_000, auditConfirmMs: 85_000 };

const metadataOnly = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';

export type AuditRequest = Readonly<{
  transport: KubeTransport;
  type: ResourceType;
  scope: ListScope;
  store: Store<Projected>;
  /** Keys that the store leaves out on purpose. */
  leftOut: ReadonlySet<string>;
  timings: AuditTimings;
}>;

/**
 * Compares the store with a consistent list (metadata only) and resolves with the keys that differ and that the watch
 * did not put right within `auditConfirmMs`. Whatever changed in the store meanwhile was on its way and does not count.
 */
export async function auditOnce(request: AuditRequest): Promise<readonly string[]> {
  const { store, timings, scope } = request;
  const suspects = await findSuspects(request);
  if (suspects.size === 0) return [];
  await sleep(timings.auditConfirmMs, scope.signal ?? undefined);
  return [...suspects].filter(([key, seen]) => identity(store.get(key)) === seen).map(([key]) => key);
}

/** The keys that differ, each with what the store had at that moment. */
async function findSuspects(request: AuditRequest): Promise<Map<string, string>> {
  const { transport, type, scope, store, leftOut } = request;
  const listed = new Map<string, string>();
  const version = await listInPages(
    { transport, type, scope: { ...scope, accept: metadataOnly } },
    {
      take: (item) => {
        const { namespace = '', name = '', uid = '', resourceVersion = '' } = (item as RawObject).metadata ?? {};
        listed.set(keyOf({ namespace, name }), identity({ uid, resourceVersion }));
      },
      restart: () => listed.clear(),
    },
  );
  const suspects = new Map<string, string>();
  for (const [key, seen] of listed) {
    const stored = identity(store.get(key));
    if (stored !== seen && !leftOut.has(key) && !isNewer(store.get(key), version)) suspects.set(key, stored);
  }
  for (const item of store.list()) {
    const key = keyOf(item);
    if (scope.namespace !== undefined && item.namespace !== scope.namespace) continue;
    if (!listed.has(key) && !isNewer(item, version)) suspects.set(key, identity(item));
  }
  return suspects;
}

const identity = (item: Pick<Projected, 'uid' | 'resourceVersion'> | undefined): string =>
  item ? `${item.uid}@${item.resourceVersion}` : 'absent';

/** The watch was ahead of the list: what it knows is not in the list yet. */
const isNewer = (item: Projected | undefined, version: string): boolean =>
  item !== undefined && (compareVersions(item.resourceVersion, version) ?? 0) > 0;
