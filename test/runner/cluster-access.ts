import type { Surroundings } from './vitest-suite.ts';

/** How a failure in a cluster can be looked into; `logs` is the folder of its components' logs, if it is ours. */
export type DiagnosticsSource = Readonly<{ kubectl: string; kubeconfig: string; logs?: string }>;

/** What a suite that needs a cluster gets: one, why there can be none here, or why it did not come up. */
export type ClusterAccess =
  | Readonly<{ kind: 'ready'; surroundings: Surroundings; diagnostics: DiagnosticsSource }>
  | Readonly<{ kind: 'cannot'; because: string }>
  | Readonly<{ kind: 'failed'; because: string }>;
