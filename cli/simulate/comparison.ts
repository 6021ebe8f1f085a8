import type { Pool } from '../../operator/api/parse.ts';
import { type Measures, measure } from './measures.ts';
import { replay } from './replay.ts';
import type { Series } from './recorder.ts';
import type { Rule } from './rules/rule.ts';
import type { Trace } from './trace.ts';

export type ComparisonInput = Readonly<{
  trace: Trace;
  pool: Pool;
  rules: readonly Rule[];
  coldStartMs: number;
  graceMs?: number;
  seed: number;
  onProgress?: (rule: string, share: number) => void;
}>;

/** The same trace under several rules, in the order of the input. */
export type Comparison = Readonly<{
  trace: Trace;
  pool: Pool;
  coldStartMs: number;
  rules: readonly (Measures & Readonly<{ series: Series }>)[];
}>;

export function compareRules({ rules, onProgress, ...input }: ComparisonInput): Comparison {
  const { trace, pool, coldStartMs } = input;
  const { workers, scaling } = pool.spec;
  const measured = rules.map((rule, index) => {
    const onShare = (share: number) => onProgress?.(rule.name, (index + share) / rules.length);
    const result = replay(rule, { ...input, onProgress: onShare });
    const measures = measure(
      { rule: rule.name, replay: result },
      { trace, slots: workers.concurrency, targetWaitMs: scaling.targetWaitMs },
    );
    return { ...measures, series: result.series };
  });
  return { trace, pool, coldStartMs, rules: measured };
}

/** What `--json` prints. */
export function toJson({ trace, rules }: Comparison): string {
  const measures = rules.map(({ series: _series, ...each }) => each);
  return `${JSON.stringify({ trace: trace.name, jobs: trace.arrivals.length, rules: measures }, null, 2)}\n`;
}
