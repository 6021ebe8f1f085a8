import type { PoolStatus } from '../../api/pool.ts';
import type { FailureReason, Ledger } from '../restarts/view.ts';
import { parseIsoTime, preciseTime } from '../time.ts';

type LedgerStatus = NonNullable<PoolStatus['restarts']>;

const REASONS: Readonly<Record<FailureReason, true>> = {
  CrashLoop: true,
  CannotReachDependency: true,
  Wedged: true,
  NodeCannotStart: true,
};
const isReason = (text: string): text is FailureReason => text in REASONS;

/** The account of retries as it stands in the status. */
export function readLedger(status: PoolStatus['restarts']): Ledger | undefined {
  if (status === undefined) return undefined;
  const { templateHash, used, everReady, pending } = status;
  const at = parseIsoTime(pending?.at);
  const times = {
    lastFailureAt: parseIsoTime(status.lastFailureAt),
    lastRetryAt: parseIsoTime(status.lastRetryAt),
    nextRetryAt: parseIsoTime(status.nextRetryAt),
  };
  return {
    templateHash,
    used,
    everReady,
    ...(pending === undefined || at === undefined
      ? {}
      : { pending: { ...pending, at, reason: isReason(pending.reason) ? pending.reason : 'CrashLoop' } }),
    ...Object.fromEntries(Object.entries(times).filter(([, time]) => time !== undefined)),
  };
}

/** To the millisecond, so that what is read back is what was decided. */
export function renderLedger(ledger: Ledger | undefined, left: number): LedgerStatus | undefined {
  if (ledger === undefined) return undefined;
  const { templateHash, used, everReady, pending, lastFailureAt, lastRetryAt, nextRetryAt } = ledger;
  return {
    templateHash,
    used,
    left,
    everReady,
    ...(pending === undefined ? {} : { pending: { ...pending, at: preciseTime(pending.at) } }),
    ...(lastFailureAt === undefined ? {} : { lastFailureAt: preciseTime(lastFailureAt) }),
    ...(lastRetryAt === undefined ? {} : { lastRetryAt: preciseTime(lastRetryAt) }),
    ...(nextRetryAt === undefined ? {} : { nextRetryAt: preciseTime(nextRetryAt) }),
  };
}
