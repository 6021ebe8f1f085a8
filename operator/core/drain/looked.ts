import type { Proof } from './proof.ts';
import type { Precondition } from './settled.ts';
import type { DrainReplica, DrainView } from './view.ts';

/** What one look at the view says, for every part of the plan. */
export type Looked = Readonly<{
  view: DrainView;
  preconditions: readonly Precondition[];
  proofOf: (replica: DrainReplica) => Proof;
  /** UIDs of those that are to go. */
  leaving: ReadonlySet<string>;
  /** UIDs of those that are given back to work because they took too long. */
  spared: ReadonlySet<string>;
  overdue: readonly DrainReplica[];
  /** A lower number may still arrive, or be carried out. */
  underWay: boolean;
}>;
