import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';

/** A figure that a bench measures; `id` is `BENCH.WHAT`, stable over time so that results can be compared. */
export type Figure = Readonly<{ id: string; unit: string }>;

/** What a bench gets while it runs. */
export type BenchContext = Readonly<{
  /** Adds one measured value of one run to a figure. Throws for a figure that the bench does not declare. */
  record: (id: string, value: number) => void;
  /** A line of progress for a person. */
  say: (line: string) => void;
  /** Aborted by Ctrl-C: the bench puts its things away and returns. */
  signal: AbortSignal;
}>;

export type Bench = Readonly<{
  name: string;
  figures: readonly Figure[];
  run: (context: BenchContext) => Promise<void>;
}>;

/** One figure over all runs, in its unit; `runs` is the number of measured values. */
export type Metric = Figure & Readonly<{ median: number; min: number; max: number; runs: number }>;

/** What a bench prints as JSON: which source, on which machine, came to which figures. */
export type BenchReport = Readonly<{ bench: string; commit: string; machine: string; metrics: readonly Metric[] }>;

/** The bench is wrong, or what it measured cannot be used. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}

/** Checks that a bench declares figures of its own name, each once. A file of this folder exports it as `bench`. */
export function defineBench(bench: Bench): Bench {
  const ids = bench.figures.map(({ id }) => id);
  const foreign = ids.find((id) => !id.startsWith(`${bench.name}.`));
  if (foreign !== undefined) throw new BenchError(`figure ${foreign} does not begin with "${bench.name}."`);
  if (ids.length === 0) throw new BenchError(`bench ${bench.name} declares no figure`);
  if (new Set(ids).size !== ids.length) throw new BenchError(`bench ${bench.name} declares a figure twice`);
  return bench;
}

/** Runs a bench and sums up its values. Throws when it fails, or leaves a figure that it declares without a value. */
export async function runBench(bench: Bench, context: Omit<BenchContext, 'record'>): Promise<readonly Metric[]> {
  const values = new Map<string, number[]>(bench.figures.map(({ id }) => [id, []]));
  const record = (id: string, value: number) => {
    const list = values.get(id);
    if (list === undefined) throw new BenchError(`bench ${bench.name} does not declare the figure ${id}`);
    if (!Number.isFinite(value)) throw new BenchError(`${id} was measured as ${value}`);
    list.push(value);
  };
  await bench.run({ ...context, record });
  return bench.figures.map((figure) => ({ ...figure, ...summarize(figure.id, values.get(figure.id) ?? []) }));
}

/** The median of an even number of values is the mean of the two in the middle. Throws when there is no value. */
export function summarize(id: string, values: readonly number[]): Omit<Metric, keyof Figure> {
  const sorted = values.toSorted((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.ceil((sorted.length - 1) / 2)];
  if (min === undefined || max === undefined || low === undefined || high === undefined) {
    throw new BenchError(`${id} has no value`);
  }
  const [median, smallest, largest] = [(low + high) / 2, min, max].map(round) as [number, number, number];
  return { median, min: smallest, max: largest, runs: sorted.length };
}

/** Six significant digits: more is noise, and fewer would hide small ratios. */
const round = (value: number): number => Number(value.toPrecision(6));

/** The table for a person. */
export function describeMetrics(metrics: readonly Metric[]): string {
  const rows = [
    ['figure', 'unit', 'median', 'min', 'max', 'runs'],
    ...metrics.map(({ id, unit, median, min, max, runs }) => [id, unit, ...[median, min, max, runs].map(String)]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const align = (cell: string, column: number) =>
    column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(align).join('  ').trimEnd()).join('\n');
}

/** The commit of the checkout at `root`, or `unknown` outside of one. */
export function currentCommit(root: string): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return 'unknown';
  }
}

/** Processor, memory, kernel and Node: what has to be equal before two results are compared. */
export function describeMachine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() || process.arch;
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GiB`;
  return `${processors.length} × ${model}, ${memory}, ${process.platform} ${release()}, node ${process.version}`;
}
