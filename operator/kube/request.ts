export type KubeMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type KubeRequest = {
  method: KubeMethod;
  /** Path without query, as `resourcePath` makes it. */
  path: string;
  query?: Readonly<Record<string, string | undefined>> | undefined;
  /** Sent as JSON. */
  body?: unknown;
  contentType?: string | undefined;
  accept?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Whether it may be sent again when no answer came; GET always may. */
  idempotent?: boolean | undefined;
};
