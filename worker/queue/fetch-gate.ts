import type { ErrorReport } from '../log.ts';
import type { QueueWorker } from './queue-worker.ts';

/**
 * Who wants no new job to be taken: the operator by a cordon, the replica itself because a dependency that it requires
 * is out, or the system that told it to end.
 */
export type HoldReason = 'cordoned' | 'held' | 'stopping';

type Fetcher = Pick<QueueWorker, 'stopFetching' | 'fetchAgain'>;

/** Jobs are fetched while no reason holds. Level-based: whatever the order of calls, the last state is what counts. */
export class FetchGate {
  readonly #fetcher: Fetcher;
  readonly #reportError: ErrorReport;
  readonly #reasons = new Map<HoldReason, string>();
  #fetching = true;
  #applied: Promise<void> = Promise.resolve();

  constructor(fetcher: Fetcher, reportError: ErrorReport) {
    this.#fetcher = fetcher;
    this.#reportError = reportError;
  }

  /** The sentence that came with a reason, while it holds. */
  because(reason: HoldReason): string | undefined {
    return this.#reasons.get(reason);
  }

  /** Resolves when no fetch begins any more. Never rejects. */
  hold(reason: HoldReason, because: string): Promise<void> {
    this.#reasons.set(reason, because);
    return this.#apply();
  }

  /** Resolves when jobs are fetched again, or when another reason still holds. Never rejects. */
  release(reason: HoldReason): Promise<void> {
    this.#reasons.delete(reason);
    return this.#apply();
  }

  /** One step after the other: a stop that is under way ends before it is undone. */
  #apply(): Promise<void> {
    this.#applied = this.#applied.then(async () => {
      const wanted = this.#reasons.size === 0;
      if (wanted === this.#fetching) return;
      this.#fetching = wanted;
      await (wanted ? this.#fetcher.fetchAgain() : this.#fetcher.stopFetching()).catch((error: unknown) =>
        this.#reportError(wanted ? 'fetching could not be taken up again' : 'fetching could not be stopped', error),
      );
    });
    return this.#applied;
  }
}
