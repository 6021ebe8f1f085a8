import { isRecord } from './record.ts';
import type { Check, CheckResult } from '../../core/dependencies/check.ts';
import type { ReplicaHealth } from '../../core/health/replica-health.ts';
import { type Known, known, type Millis, unknown } from '../../core/known.ts';
import { firstLine } from '../../core/sentence.ts';

/**
 * Reads the JSON of a replica's `/health` (docs/worker-endpoints.md). A part that is missing or of another kind is
 * unknown, never well; without what says who answers and what it runs, all of it is.
 */
export function readHealthReport(text: string, at: Millis): Known<ReplicaHealth> {
  const report = parse(text);
  if (report === undefined) return unknown('its /health is no JSON object');
  const { processStartTime, active, slots, held = null, lastFetchAt = null, cordonedUntil } = report;
  if (typeof processStartTime !== 'string') return unknown('its /health has no processStartTime');
  if (!isCount(active) || !isCount(slots)) return unknown('its /health has no numbers of active jobs and slots');
  if (held !== null && typeof held !== 'string') return unknown('its /health has a "held" that is no text');
  return known(
    {
      work: {
        processStart: processStartTime,
        active,
        slots,
        cordoned: typeof cordonedUntil === 'string',
        held,
        stopping: report['stopping'] === true,
        lastFetch: typeof lastFetchAt === 'string' ? lastFetchAt : null,
        hasFinished: typeof report['lastFinishAt'] === 'string',
      },
      ...(isMoment(cordonedUntil) ? { cordonedUntil } : {}),
      redis: checkOf(report['redis'], at),
      supabase: checkOf(report['supabase'], at),
    },
    at,
  );
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isMoment = (value: unknown): value is string =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value);

function checkOf(part: unknown, at: Millis): Check {
  if (part === null) return unknown('the replica does not check it');
  if (!isRecord(part)) return unknown('its /health does not speak of it');
  const { connected, error, kind: said } = part;
  if (connected === true) return known<CheckResult>({ ok: true }, at);
  const because = typeof error === 'string' ? firstLine(error) : undefined;
  if (connected !== false) return unknown(because ?? 'it has not checked yet');
  const kind = said === 'Refused' ? 'Refused' : 'Outage';
  return known<CheckResult>({ ok: false, kind, because: because ?? 'does not answer' }, at);
}
