import { isGone } from './errors.ts';
import { type ResourceType, resourcePath } from './resources.ts';
import type { KubeTransport } from './transport.ts';

export type ListScope = Readonly<{
  /** Absent: all namespaces. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Objects a page; 500. */
  pageSize?: number | undefined;
  signal?: AbortSignal | undefined;
  /** `application/json;as=PartialObjectMetadataList;…` for metadata only. */
  accept?: string | undefined;
}>;
export type ListRequest = Readonly<{ transport: KubeTransport; type: ResourceType; scope: ListScope }>;

type RawList = { metadata?: { resourceVersion?: string; continue?: string }; items?: unknown[] | null };

const attemptsBeforeGivingUp = 3;

/**
 * Reads a whole collection consistently, page by page, and hands each item to `take` as it comes, so that a page can
 * be forgotten before the next one is read. When a page's version has expired (410) it begins again: `restart` is
 * called and what was taken before is void. Resolves with the version to watch from.
 */
export async function listInPages(
  request: ListRequest,
  collect: Readonly<{ take(item: unknown): void; restart(): void }>,
): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readPages(request, collect.take);
    } catch (error) {
      if (!isGone(error) || attempt >= attemptsBeforeGivingUp) throw error;
      collect.restart();
    }
  }
}

async function readPages({ transport, type, scope }: ListRequest, take: (item: unknown) => void): Promise<string> {
  let continueToken: string | undefined;
  for (;;) {
    const page: RawList = await transport.request<RawList>({
      method: 'GET',
      path: resourcePath(type, { namespace: scope.namespace }),
      query: {
        limit: String(scope.pageSize ?? 500),
        continue: continueToken,
        labelSelector: scope.labelSelector,
        fieldSelector: scope.fieldSelector,
      },
      accept: scope.accept,
      signal: scope.signal,
    });
    const { items, metadata = {} } = page;
    for (const item of items ?? []) take(item);
    continueToken = metadata.continue || undefined;
    if (continueToken === undefined) return metadata.resourceVersion ?? '';
  }
}
