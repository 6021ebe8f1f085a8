/** How this worker depends on it. Required: without it no job is started. Optional: it is only reported. */
export const DEPENDENCY_MODES = ['Required', 'Optional', 'Off'] as const;
export type DependencyMode = (typeof DEPENDENCY_MODES)[number];

/**
 * How one check ended. An outage (refused connection, time-out, 5xx) may end by itself. A refusal (401, 403, 404, a
 * wrong password) is an answer: no waiting mends it, so it is reported and stops nobody.
 */
export type CheckResult =
  | Readonly<{ ok: true; latencyMs: number; databaseLatencyMs?: number }>
  | Readonly<{ ok: false; kind: 'Outage' | 'Refused'; because: string }>;

/** What `/health` says of one dependency. Times are ISO 8601. */
export type DependencyReport = Readonly<{
  mode: DependencyMode;
  /** null before the first check. */
  connected: boolean | null;
  latencyMs: number | null;
  /** Of `select 1` through the pooler, its connection included where it was a new one; null when that is not asked. */
  databaseLatencyMs: number | null;
  error: string | null;
  kind: 'Outage' | 'Refused' | null;
  checkedAt: string | null;
}>;

export type TimedCheck = Readonly<{ result: CheckResult; at: number }>;

export const reportDependency = (mode: DependencyMode, check: TimedCheck | undefined): DependencyReport => {
  const unknown = {
    mode,
    connected: null,
    latencyMs: null,
    databaseLatencyMs: null,
    error: null,
    kind: null,
    checkedAt: null,
  };
  if (!check) return unknown;
  const { result } = check;
  const checked = { ...unknown, connected: result.ok, checkedAt: new Date(check.at).toISOString() };
  if (result.ok) {
    const { latencyMs, databaseLatencyMs = null } = result;
    return { ...checked, latencyMs, databaseLatencyMs };
  }
  return { ...checked, error: result.because, kind: result.kind };
};

/** Milliseconds since `performance.now()` was `began`, to a hundredth. */
export const millisSince = (began: number): number => Math.round((performance.now() - began) * 100) / 100;
