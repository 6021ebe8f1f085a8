import type { DrainMemory, DrainReplica, Mark } from './view.ts';

/** One thing to do to one replica. */
export type DrainStep = Readonly<{ name: string; uid: string }> &
  (
    | Readonly<{ kind: 'cordon'; seconds: number }>
    | Readonly<{ kind: 'uncordon'; because: 'wanted' | 'tookTooLong' }>
    /** On the version of the pod that was looked at, which is not ready. */
    | Readonly<{ kind: 'mark'; mark: Mark }>
    | Readonly<{ kind: 'unmark' }>
    /** As its template has them. */
    | Readonly<{ kind: 'relabel'; labels: Readonly<Record<string, string>> }>
  );

/** A replica that a lower number takes away, and why it may. */
export type ProvenReplica = Readonly<{ replica: DrainReplica; because: string }>;

export type DrainPlan = Readonly<{
  steps: readonly DrainStep[];
  /** The Deployment must change before any step, so that no lower number that was sent before can still arrive. */
  fence: boolean;
  /** The number to write, when it may be lowered now. */
  lower?: Readonly<{ replicas: number; proven: readonly ProvenReplica[] }>;
  /** Why it may not, when there are marked replicas. */
  waitsFor?: string;
  /** Every replica that is on its way out, and what is known of its work. */
  draining: readonly Readonly<{ replica: DrainReplica; because: string }>[];
  /** Those whose drain takes longer than its limit. */
  overdue: readonly DrainReplica[];
  memory: DrainMemory;
}>;
