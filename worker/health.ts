import type { DependencyReport } from './dependencies/check.ts';
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
    redis: Readonly<{
      connected: boolean;
      latencyMs: number | null;
      error: string | null;
      /** As in `supabase`. */
      kind: 'Outage' | 'Refused' | null;
    }>;
    /** null when it is not checked. */
    supabase: DependencyReport | null;
    /** Jobs of the queue that failed for good and are kept; null while the queue cannot be read. */
    failedJobs: number | null;
  }>;

export type HealthFacts = Readonly<{
  testimony: Testimony;
  queue: string;
  ping: RedisCheck;
  /** Why no job can be fetched although Redis may answer, or undefined. */
  fetchFault: string | undefined;
  supabase: DependencyReport | undefined;
  failedJobs: number | undefined;
  now: number;
}>;

/** With these Redis answers, and says no: to a password, to a user, to what that user may do. */
const REDIS_REFUSES = /\b(WRONGPASS|NOAUTH|NOPERM)\b/;

/** Degraded when Redis does not answer, when jobs cannot be fetched although it does, or when Supabase is not well. */
export const reportHealth = (facts: HealthFacts): HealthReport => {
  const error = facts.ping.ok ? facts.fetchFault : facts.ping.because;
  return {
    status: error === undefined && !requiredIsUnwell(facts.supabase) ? 'ok' : 'degraded',
    service: 'worker',
    queue: facts.queue,
    ...facts.testimony,
    uptimeSeconds: Math.round((facts.now - PROCESS_START_MS) / 100) / 10,
    redis: {
      connected: error === undefined,
      latencyMs: facts.ping.ok ? facts.ping.latencyMs : null,
      error: error ?? null,
      kind: error === undefined ? null : REDIS_REFUSES.test(error) ? 'Refused' : 'Outage',
    },
    supabase: facts.supabase ?? null,
    failedJobs: facts.failedJobs ?? null,
  };
};

const requiredIsUnwell = (report: DependencyReport | undefined): boolean =>
  report?.mode === 'Required' && report.connected !== true;
