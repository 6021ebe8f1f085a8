import type { Cordon, CordonState } from './cordon.ts';
import { PROCESS_START_MS } from './process-start.ts';
import type { FetchGate } from './queue/fetch-gate.ts';
import type { JobsInHand } from './queue/jobs-in-hand.ts';
import type { Progress } from './queue/outcomes.ts';

/**
 * What a replica testifies of itself: the answer to `/cordon` and `/uncordon`, and a part of `/health`. Times are
 * ISO 8601, null when there was none yet. docs/worker-endpoints.md has the same for those who ask.
 */
export type Testimony = CordonState &
  Readonly<{
    pod: string;
    /** Another value means another process, of whose jobs an earlier testimony says nothing. */
    processStartTime: string;
    /** It was told to end, and takes no job any more. */
    stopping: boolean;
    /** Why it takes no new job on its own account, or null. */
    held: string | null;
    /** Jobs that it runs now, of `slots` at most, and fetches that may still bring one. Never too low. */
    active: number;
    slots: number;
    lastFetchAt: string | null;
    lastFinishAt: string | null;
    lastFinishedJobId: string | null;
  }>;

type Witnesses = Readonly<{
  pod: string;
  slots: number;
  cordon: Cordon;
  gate: FetchGate;
  jobs: JobsInHand;
  progress: Progress;
}>;

/** Gives the testimony as of each call. */
export const createTestimony =
  ({ pod, slots, cordon, gate, jobs, progress }: Witnesses) =>
  (): Testimony => ({
    pod,
    processStartTime: new Date(PROCESS_START_MS).toISOString(),
    ...cordon.state,
    stopping: gate.because('stopping') !== undefined,
    held: gate.because('held') ?? null,
    active: jobs.count,
    slots,
    lastFetchAt: iso(progress.lastFetchAt),
    lastFinishAt: iso(progress.lastFinishAt),
    lastFinishedJobId: progress.lastFinishedJobId ?? null,
  });

const iso = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString());
