import type { PoolStatus } from '../api/pool.ts';
import type { Millis } from '../core/known.ts';
import type { PoolEvent } from '../core/pool-event.ts';
import { mayBeSaidLater, writeStatusIn } from '../core/status.ts';
import type { KubeClient } from '../kube/client.ts';
import { keyOf } from '../kube/resources.ts';
import type { Reporter } from './report.ts';
import { type StatusTarget, writeStatus } from './status.ts';

export type StatusWriterParts = Readonly<{
  client: KubeClient;
  reporter: Pick<Reporter, 'wrote' | 'events'>;
  now: () => Millis;
  /** Asks for a pass over a pool. */
  enqueue: (poolKey: string) => void;
  /** Other pools that an event has added wait for their turn. */
  crowded: () => boolean;
}>;

/** What a pass wants to be said; the events are those of what `before`, which was read of the pool, does not say. */
export type Statement = Readonly<{
  before: PoolStatus | undefined;
  next: PoolStatus;
  events: readonly PoolEvent[];
}>;

/** `kept`: not now; `dueInMs` is when it is to be written, undefined where nothing is. A conflict asks for another pass. */
export type StatusWriting =
  | Readonly<{ kind: 'written' | 'conflict' }>
  | Readonly<{ kind: 'kept'; dueInMs: Millis | undefined }>;

/** In a crowd: it is decided on again, and another status may be due. */
const LATER_MS: Millis = 1000;
/** Tries in a row that are remembered. */
const MOST_SENT = 4;

/**
 * Writes the status of one pool when that is due, and tells the events of it then and only then. What was not written was
 * not told: the next pass compares with the written status and finds it again, however many passes come between.
 */
export class StatusWriter {
  readonly #parts: StatusWriterParts;
  #writtenAt: Millis | undefined;
  /** What the one of that time says of the Deployment. */
  #claimed: PoolStatus['deployment'] | undefined;
  /**
   * What was sent and not confirmed, oldest first. It may have arrived: of a write whose answer was lost, the repetition is
   * a conflict. What was confirmed is not among it: a pass reads nothing older than its last confirmed write (`OwnWrites`).
   */
  #sent: readonly Statement[] = [];

  constructor(parts: StatusWriterParts) {
    this.#parts = parts;
  }

  /** Network errors are thrown. */
  async write(target: StatusTarget, statement: Statement): Promise<StatusWriting> {
    const { client, reporter, enqueue, now } = this.#parts;
    const at = now();
    this.#tellArrived(target, statement.before, at);
    const dueInMs = this.#dueIn(statement, at);
    if (dueInMs !== 0) return { kind: 'kept', dueInMs };
    this.#sent = [...this.#sent, statement].slice(-MOST_SENT);
    const kind = await writeStatus(client, target, statement.next);
    reporter.wrote('status', kind);
    if (kind === 'conflict') {
      enqueue(keyOf(target));
      return { kind };
    }
    this.#sent = [];
    this.#writtenAt = at;
    this.#claimed = statement.next.deployment;
    reporter.events(target, statement.events);
    return { kind };
  }

  #dueIn({ before, next, events }: Statement, now: Millis): Millis | undefined {
    const written = { writtenAt: this.#writtenAt, claimed: this.#claimed };
    const inMs = writeStatusIn(before, next, { now, ...written, isNews: events.length > 0 });
    // A burst on many pools: every pool gets its number before any gets its status.
    return inMs === 0 && this.#parts.crowded() && mayBeSaidLater(before, next) ? LATER_MS : inMs;
  }

  /** The pool says what nobody has confirmed: its events would be found by no comparison any more. */
  #tellArrived(target: StatusTarget, read: PoolStatus | undefined, now: Millis): void {
    const isIn = (next: PoolStatus): boolean =>
      writeStatusIn(read, next, { now, claimed: next.deployment }) === undefined;
    const arrived = this.#sent.find(({ next }) => isIn(next));
    if (arrived === undefined) return;
    this.#sent = [];
    this.#parts.reporter.events(target, arrived.events);
  }
}
