import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { CsvError, type Info, parse } from 'csv-parse';
import { CommandError, messageOf } from '../command-error.ts';
import { printable } from '../terminal.ts';
import { isKept, type Sampling } from './sampling.ts';
import { BadRow, detectFormat, type TraceFormat, type TraceRow } from './trace-format.ts';

/** The jobs of a trace in the order of their arrival. Times in milliseconds since `startsAt`, the first arrival. */
export type Trace = Readonly<{
  name: string;
  /** Milliseconds since the epoch; a trace without a calendar starts on a Monday at midnight, UTC. */
  startsAt: number;
  arrivals: Float64Array;
  durations: Float64Array;
}>;

/** 2026-01-05T00:00:00Z. */
const SOME_MONDAY = 1_767_571_200_000;
const LONGEST_SPAN_MS = 366 * 86_400_000;
/** No line of a trace is that long: what is not text must not fill the memory before it is refused. */
const LONGEST_LINE = 64 * 1024;

type Reading = Readonly<{ sampling: Sampling; onProgress?: (share: number) => void }>;

/** Reads a trace file. Throws `CommandError` with the line of what is malformed; `#` and empty lines do not count. */
export async function readTrace(file: string, { sampling, onProgress }: Reading): Promise<Trace> {
  const size = await sizeOf(file);
  const rows = new Rows(sampling);
  let line = 0;
  try {
    for await (const { record, info } of recordsOf(file)) {
      line = info.lines;
      rows.take(record.map(unquoted));
      // A pipe does not say how much there is to read.
      if (size > 0 && info.records % 5000 === 0) onProgress?.(info.bytes / size);
    }
  } catch (error) {
    throw readable(error, { file, line });
  }
  if (rows.kept.length === 0) throw new CommandError(sayNothing(file, rows.seen, sampling));
  return toTrace(file, rows);
}

/** The jobs of the lines so far. */
class Rows {
  readonly kept: TraceRow[] = [];
  seen = 0;
  readonly #sampling: Sampling;
  #format: TraceFormat | undefined;

  constructor(sampling: Sampling) {
    this.#sampling = sampling;
  }

  get calendar(): boolean {
    return this.#format?.calendar === true;
  }

  /** Throws `BadRow`. */
  take(cells: readonly string[]): void {
    const isFirst = this.#format === undefined;
    const format = (this.#format ??= detectFormat(cells));
    if (isFirst && format.hasHeader) return;
    if (cells.length !== format.columns) throw new BadRow(sayColumns(cells, format));
    const job = format.readRow(cells);
    this.seen += 1;
    if (isKept(this.seen, this.#sampling)) this.kept.push(job);
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file);
    if (!found.isDirectory()) return found.size;
  } catch (error) {
    throw new CommandError(`the trace cannot be read: ${messageOf(error)}`, { cause: error });
  }
  throw new CommandError(`the trace cannot be read: ${file} is a folder`);
}

type Line = Readonly<{ record: string[]; info: Info }>;

function recordsOf(file: string): AsyncIterable<Line> {
  const parser = parse({
    bom: true,
    // No cell of a trace holds a comma or a line's end: so a stray quote is wrong in its own line, not in a later one.
    quote: null,
    info: true,
    comment: '#',
    comment_no_infix: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: LONGEST_LINE,
  });
  const source = createReadStream(file);
  source.once('error', (error) => parser.destroy(error));
  parser.once('close', () => source.destroy());
  return source.pipe(parser) as AsyncIterable<Line>;
}

function readable(error: unknown, { file, line }: Readonly<{ file: string; line: number }>): CommandError {
  if (error instanceof BadRow) return new CommandError(`${file}, line ${line}: ${error.message}`, { cause: error });
  if (error instanceof CsvError) {
    const tooLong = error.code === 'CSV_MAX_RECORD_SIZE';
    const what = tooLong ? 'the line is too long to be a job: is this a text file?' : error.code;
    return new CommandError(`${file}, line ${line + 1}: ${what}`, { cause: error });
  }
  return new CommandError(`the trace cannot be read: ${messageOf(error)}`, { cause: error });
}

const unquoted = (cell: string): string => cell.replace(/^\s*"(.*)"\s*$/, '$1');

const sayColumns = (record: readonly string[], { name, columns }: TraceFormat): string =>
  `${record.length} column${record.length === 1 ? '' : 's'} where ${name} has ${columns}`;

const sayNothing = (file: string, rows: number, { share }: Sampling): string =>
  rows === 0 ? `${file} has no job` : `none of the ${rows} jobs of ${file} is in a sample of ${share}`;

function toTrace(file: string, { kept: rows, calendar }: Rows): Trace {
  rows.sort((a, b) => a.arrivalMs - b.arrivalMs);
  const first = rows[0]?.arrivalMs ?? 0;
  const span = (rows.at(-1)?.arrivalMs ?? 0) - first;
  if (span > LONGEST_SPAN_MS) {
    const days = Math.round(span / 86_400_000);
    throw new CommandError(`${file} spans ${days} days, more than a year: are its arrivals really in seconds?`);
  }
  return {
    name: printable(basename(file)),
    startsAt: calendar ? first : SOME_MONDAY,
    arrivals: Float64Array.from(rows, ({ arrivalMs }) => arrivalMs - first),
    durations: Float64Array.from(rows, ({ durationMs }) => durationMs),
  };
}
