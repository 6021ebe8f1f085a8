import { type BackoffOptions, fullJitter } from './backoff.ts';
import { isGone, KubeError } from './errors.ts';
import type { RestartReason } from './metrics.ts';
import { WatchFault } from './watch-events.ts';

export type RestartTimings = Readonly<{
  backoff: BackoffOptions;
  /** A watch that lived so long was healthy: backoff begins anew. */
  healthyAfterMs: number;
}>;

export type Restart = Readonly<{ reason: RestartReason; relist: boolean; delayMs: number }>;

const silentFaultsBeforeList = 3;
/**
 * A server that answers, but says nothing or fails each time, may not know the version that it is asked to resume from.
 * One that cannot be reached says nothing about it: an outage is no reason to read everything again.
 */
const suspectReasons: ReadonlySet<RestartReason> = new Set(['inactive', 'server', 'malformed', 'closed']);
const shortestNormalWatchMs = 1_000;

/** Decides, for one watch, how soon it is opened again after it ended and whether everything is read again first. */
export class RestartPolicy {
  private readonly timings: RestartTimings;
  private readonly random: () => number;
  private failures = 0;
  private silentFaults = 0;

  constructor(timings: RestartTimings, random: () => number) {
    this.timings = timings;
    this.random = random;
  }

  /** An event or a bookmark came: the version that is resumed from is one that the server knows. */
  progressed(): void {
    this.silentFaults = 0;
  }

  /** `livedMs`: from the first byte sent to the end. */
  judge(error: unknown, livedMs: number): Restart {
    const fault = faultOf(error);
    if (livedMs >= this.timings.healthyAfterMs) this.failures = 0;
    if (fault.reason === 'closed' && livedMs >= shortestNormalWatchMs) {
      return { reason: 'closed', relist: fault.relist, delayMs: this.random() * 100 };
    }
    const delayMs = (fault.retryAfterMs ?? 0) + fullJitter(this.failures, this.timings.backoff, this.random);
    this.failures += 1;
    if (suspectReasons.has(fault.reason)) this.silentFaults += 1;
    return { reason: fault.reason, relist: fault.relist || this.silentFaults >= silentFaultsBeforeList, delayMs };
  }
}

type Fault = Readonly<{ reason: RestartReason; relist: boolean; retryAfterMs?: number | undefined }>;

function faultOf(error: unknown): Fault {
  if (error instanceof WatchFault) return error;
  if (!(error instanceof KubeError)) return { reason: 'server', relist: true };
  if (isGone(error)) return { reason: 'gone', relist: true };
  const { status, retryAfterMs } = error;
  if (status === 0) return { reason: error.reason === 'Timeout' ? 'inactive' : 'network', relist: false };
  if (status === 429) return { reason: 'throttled', relist: false, retryAfterMs };
  return status >= 500 ? { reason: 'server', relist: false, retryAfterMs } : { reason: 'refused', relist: true };
}
