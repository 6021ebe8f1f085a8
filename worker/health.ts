import type { RedisCheck } from './redis-link.ts';
import type { Progress } from './queue/outcomes.ts';
import { PROCESS_START_MS } from './process-start.ts';

/** What `GET /health` answers. Times are ISO 8601 or null when there was none yet. */
export type HealthReport = Readonly<{
  status: 'ok' | 'degraded';
  service: 'worker';
  pod: string;
  queue: string;
  processStartTime: string;
  uptimeSeconds: number;
  redis: Readonly<{ connected: boolean; latencyMs: number | null; error: string | null }>;
  /** Jobs that this replica runs now, of `slots` at most. */
  active: number;
  slots: number;
  lastFetchAt: string | null;
  lastFinishAt: string | null;
  /** Jobs of the queue that failed for good and are kept; null while the queue cannot be read. */
  failedJobs: number | null;
}>;

export type HealthFacts = Readonly<{
  pod: string;
  queue: string;
  slots: number;
  active: number;
  progress: Progress;
  ping: RedisCheck;
  /** Why no job can be fetched although Redis may answer, or undefined. */
  fetchFault: string | undefined;
  failedJobs: number | undefined;
  now: number;
}>;

/** Degraded when Redis does not answer, or when jobs cannot be fetched although it does. */
export const reportHealth = (facts: HealthFacts): HealthReport => {
  const error = facts.ping.ok ? facts.fetchFault : facts.ping.because;
  return {
    status: error === undefined ? 'ok' : 'degraded',
    service: 'worker',
    pod: facts.pod,
    queue: facts.queue,
    processStartTime: new Date(PROCESS_START_MS).toISOString(),
    uptimeSeconds: Math.round((facts.now - PROCESS_START_MS) / 100) / 10,
    redis: {
      connected: error === undefined,
      latencyMs: facts.ping.ok ? facts.ping.latencyMs : null,
      error: error ?? null,
    },
    active: facts.active,
    slots: facts.slots,
    lastFetchAt: iso(facts.progress.lastFetchAt),
    lastFinishAt: iso(facts.progress.lastFinishAt),
    failedJobs: facts.failedJobs ?? null,
  };
};

const iso = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString());
