/** Fields of a Kubernetes object that pass through as they are; the API server judges them. */
export type Fields = Readonly<Record<string, unknown>>;

/** A Deployment as one server-side apply carries it. */
export type Manifest = Readonly<{
  apiVersion: 'apps/v1';
  kind: 'Deployment';
  metadata: Readonly<{
    name: string;
    namespace: string;
    resourceVersion?: string;
    labels: Readonly<Record<string, string>>;
    annotations: Readonly<Record<string, string>>;
    ownerReferences: readonly Fields[];
  }>;
  spec: Readonly<{ replicas: number; template: Fields } & Record<string, unknown>>;
}>;
