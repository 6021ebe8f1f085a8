import type { Replay } from './replay.ts';
import type { Trace } from './trace.ts';

/** What one rule did with a trace: waits in seconds, shares 0 to 1, as `--json` prints it. */
export type Measures = Readonly<{
  rule: string;
  waitP50: number;
  waitP95: number;
  waitMax: number;
  /** Share of the jobs that waited longer than the wait target. */
  overTarget: number;
  replicaHours: number;
  /** What the jobs' durations fill at full slots: no rule can need less. */
  idealReplicaHours: number;
  /** How often `replicas` went down after up, or up after down. */
  directionChanges: number;
  /** Jobs that ran on a replica that was removed and had no time to end; counted each time. */
  jobsKilled: number;
}>;

const HOUR_MS = 3_600_000;

export function measure(
  { rule, replay: { waits, killed, replicaMs, directionChanges } }: Readonly<{ rule: string; replay: Replay }>,
  { trace, slots, targetWaitMs }: Readonly<{ trace: Trace; slots: number; targetWaitMs: number }>,
): Measures {
  const sorted = waits.toSorted();
  const seconds = (share: number) => round(percentile(sorted, share) / 1000, 3);
  return {
    rule,
    waitP50: seconds(0.5),
    waitP95: seconds(0.95),
    waitMax: seconds(1),
    overTarget: round(sorted.filter((wait) => wait > targetWaitMs).length / sorted.length, 6),
    replicaHours: round(replicaMs / HOUR_MS, 4),
    idealReplicaHours: round(trace.durations.reduce((sum, each) => sum + each, 0) / slots / HOUR_MS, 4),
    directionChanges,
    jobsKilled: killed,
  };
}

/** The smallest value that at least this share of the values does not pass (nearest rank). */
const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
