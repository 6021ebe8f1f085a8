import type { RedisCheck } from './redis-link.ts';
import type { Testimony } from './testimony.ts';
import { PROCESS_START_MS } from './process-start.ts';

/** What `GET /health` answers; docs/worker-endpoints.md has the same for those who ask. */
export type HealthReport = Testimony &
  Readonly<{
    status: 'ok' | 'degraded';
    service: 'worker';
    queue: string;
    uptimeSeconds: number;
    redis: Readonly<{ connected: boolean; latencyMs: number | null; error: string | null }>;
    /** Jobs of the queue that failed for good and are kept; null while the queue cannot be read. */
    failedJobs: number | null;
  }>;

export type HealthFacts = Readonly<{
  testimony: Testimony;
  queue: string;
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
    queue: facts.queue,
    ...facts.testimony,
    uptimeSeconds: Math.round((facts.now - PROCESS_START_MS) / 100) / 10,
    redis: {
      connected: error === undefined,
      latencyMs: facts.ping.ok ? facts.ping.latencyMs : null,
      error: error ?? null,
    },
    failedJobs: facts.failedJobs ?? null,
  };
};
