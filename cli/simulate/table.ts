import { sayLength } from '../../operator/core/sentence.ts';
import type { Measures } from './measures.ts';
import type { Comparison } from './comparison.ts';

type Column = Readonly<{
  title: string;
  cell: (measures: Measures) => string;
  isBad?: (measures: Measures) => boolean;
}>;

const length = (seconds: number): string => sayLength(seconds * 1000);

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** Jobs that last no time need no replica: nothing is so many times that. */
const sayOverIdeal = ({ replicaHours, idealReplicaHours }: Measures): string =>
  idealReplicaHours > 0 ? (replicaHours / idealReplicaHours).toFixed(2) : '–';

export const COLUMNS: readonly Column[] = [
  { title: 'rule', cell: ({ rule }) => rule },
  { title: 'wait p50', cell: ({ waitP50 }) => length(waitP50) },
  { title: 'p95', cell: ({ waitP95 }) => length(waitP95) },
  { title: 'max', cell: ({ waitMax }) => length(waitMax) },
  { title: 'over target', cell: ({ overTarget }) => percent(overTarget) },
  { title: 'replica-hours', cell: ({ replicaHours }) => replicaHours.toFixed(2) },
  { title: '/ ideal', cell: sayOverIdeal },
  { title: 'turns', cell: ({ directionChanges }) => String(directionChanges) },
  { title: 'jobs killed', cell: ({ jobsKilled }) => String(jobsKilled), isBad: ({ jobsKilled }) => jobsKilled > 0 },
];

/** What was compared, then one line a rule. */
export function renderTable(comparison: Comparison): string {
  const rows = [
    COLUMNS.map(({ title }) => title),
    ...comparison.rules.map((each) => COLUMNS.map(({ cell }) => cell(each))),
  ];
  const widths = COLUMNS.map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  '),
  );
  return `${describe(comparison).join('\n')}\n\n${lines.join('\n')}\n`;
}

/** The question, in two sentences. */
export function describe({ trace, pool, coldStartMs, rules }: Comparison): readonly [string, string] {
  const { scaling, workers } = pool.spec;
  const total = trace.durations.reduce((sum, each) => sum + each, 0);
  const jobs = trace.arrivals.length;
  const ideal = rules[0]?.idealReplicaHours.toFixed(2) ?? '0';
  return [
    `${trace.name}: ${jobs} jobs in ${sayLength(trace.arrivals.at(-1) ?? 0)}, ${sayLength(total / jobs)} each on average, ${ideal} replica-hours at full slots.`,
    `${pool.name}: ${workers.concurrency} slots a replica, ${scaling.minReplicas} to ${scaling.maxReplicas} replicas, cold start ${sayLength(coldStartMs)}, wait target ${sayLength(scaling.targetWaitMs)}.`,
  ];
}
