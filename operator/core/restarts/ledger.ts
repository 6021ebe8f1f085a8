import type { Millis } from '../known.ts';
import { parseIsoTime } from '../time.ts';
import type { Ledger, RestartMemory, RestartReplica, RestartSpec } from './view.ts';

const newLedger = (templateHash: string): Ledger => ({ templateHash, used: 0, everReady: false });

/** A new template has an account of its own; an unknown one changes nothing. */
export function openLedger(before: Ledger | undefined, templateHash: string | undefined): Ledger | undefined {
  if (templateHash === undefined || before?.templateHash === templateHash) return before;
  return newLedger(templateHash);
}

/** What a person asks for with the annotation. */
export type RetryRequest =
  | Readonly<{ kind: 'none' | 'done' | 'due' }>
  | Readonly<{ kind: 'later'; at: Millis }>
  | Readonly<{ kind: 'malformed'; text: string }>;

/** The budget is given back once: a retry that is taken after that time is not covered by it. */
export function readRetryRequest(text: string | undefined, { lastRetryAt }: Ledger, now: Millis): RetryRequest {
  if (text === undefined) return { kind: 'none' };
  const at = parseIsoTime(text);
  if (at === undefined) return { kind: 'malformed', text };
  if (at > now) return { kind: 'later', at };
  return { kind: lastRetryAt === undefined || at <= lastRetryAt ? 'done' : 'due' };
}

/** Everything given back but a retry that is under way. */
export function giveBack(ledger: Ledger): Ledger {
  const { templateHash, pending, lastRetryAt, everReady } = ledger;
  return {
    templateHash,
    used: pending === undefined ? 0 : 1,
    everReady,
    ...(pending === undefined ? {} : { pending }),
    ...(lastRetryAt === undefined ? {} : { lastRetryAt }),
  };
}

/** The pod is gone, or was told to go: the retry is done. Its ReplicaSet makes another. */
export function settle(ledger: Ledger, replicas: readonly RestartReplica[]): Ledger {
  const { pending, ...rest } = ledger;
  return pending === undefined || replicas.some(({ uid }) => uid === pending.uid) ? ledger : rest;
}

type Books = Readonly<{ memory: RestartMemory; spec: RestartSpec; now: Millis }>;

/**
 * When the budget is full again: when nothing has failed for `resetAfter`, of which this leader has seen every moment, and
 * a replica that was made after the last retry has done work: that the others work says nothing of what a retry brings.
 * Undefined: nothing is spent, or time alone does not bring it back.
 */
export const fullAgainAt = (
  { used, pending, lastFailureAt = 0 }: Ledger,
  { memory, spec }: Pick<Books, 'memory' | 'spec'>,
): Millis | undefined =>
  used > 0 && pending === undefined && memory.proven
    ? Math.max(lastFailureAt, memory.watchingSince) + spec.resetAfterMs
    : undefined;

export const isFullAgain = (ledger: Ledger, books: Books): boolean =>
  books.now >= (fullAgainAt(ledger, books) ?? Number.POSITIVE_INFINITY);

/** Half of the ceiling plus a random part of the other half: those that failed together do not come back together. */
export function backoffOf(retry: number, { backoffBaseMs, backoffMaxMs }: RestartSpec, random: number): Millis {
  const ceiling = Math.min(backoffMaxMs, backoffBaseMs * 2 ** Math.min(retry, 40));
  return ceiling / 2 + (random * ceiling) / 2;
}
