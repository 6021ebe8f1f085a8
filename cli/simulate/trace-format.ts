import { printable } from '../terminal.ts';

/** One job as a trace tells it: when it was added, on a clock of the trace's own, and how long it runs. */
export type TraceRow = Readonly<{ arrivalMs: number; durationMs: number }>;

/** Reads the cells of one line; throws `BadRow` with what is wrong with them. */
export type TraceFormat = Readonly<{
  name: string;
  /** False when the first line is already a job. */
  hasHeader: boolean;
  columns: number;
  /** The arrivals are times of a calendar, not seconds since an unknown start. */
  calendar: boolean;
  readRow: (cells: readonly string[]) => TraceRow;
}>;

/** What is wrong with one line, without its number: only the reader of the file knows that. */
export class BadRow extends Error {}

/**
 * The Azure trace counts single LLM calls. An agent's job makes 7.83 of them on average (the GitHub Copilot
 * coding-agent data of the same collection), one takes 2 ms for each prompt token and 50 ms for each generated one.
 */
const CALLS_PER_JOB = 7.83;
const MS_PER_PROMPT_TOKEN = 2;
const MS_PER_GENERATED_TOKEN = 50;

const YEAR_MS = 366 * 86_400_000;
/** Arrivals may count from the epoch, or from anything else that a number of milliseconds can hold exactly. */
const FARTHEST_MS = 1e15;

/** The format that the first line of a file announces. Throws `BadRow` when it is none of those that are known. */
export function detectFormat(first: readonly string[]): TraceFormat {
  const names = first.map((cell) => cell.trim().toLowerCase());
  const at = (name: string) => names.indexOf(name);
  if (at('arrival') !== -1 && at('duration') !== -1) {
    return arrivalDuration({
      arrival: at('arrival'),
      duration: at('duration'),
      columns: names.length,
      hasHeader: true,
    });
  }
  if (at('timestamp') !== -1 && at('contexttokens') !== -1 && at('generatedtokens') !== -1) {
    return llmCalls(names);
  }
  const [arrival = '', duration = ''] = first;
  if (first.length === 2 && isNumber(duration) && (isNumber(arrival) || parseTime(arrival) !== undefined)) {
    return arrivalDuration({ arrival: 0, duration: 1, columns: 2, hasHeader: false });
  }
  throw new BadRow(
    `the first line must be \`arrival,duration\` or \`TIMESTAMP,ContextTokens,GeneratedTokens\`, not ${quote(first.join(','))}`,
  );
}

type Columns = Readonly<{ arrival: number; duration: number; columns: number; hasHeader: boolean }>;

/** Arrivals in seconds, or as times, whichever the first job has; durations in seconds. */
function arrivalDuration({ arrival, duration, columns, hasHeader }: Columns): TraceFormat {
  let calendar: boolean | undefined;
  return {
    name: 'arrival,duration',
    hasHeader,
    columns,
    get calendar() {
      return calendar === true;
    },
    readRow: (cells) => {
      const text = cells[arrival] ?? '';
      calendar ??= !isNumber(text);
      const arrivalMs = calendar ? readTime('arrival', text) : readSeconds('arrival', text);
      return { arrivalMs, durationMs: readSeconds('duration', cells[duration] ?? '') };
    },
  };
}

function llmCalls(names: readonly string[]): TraceFormat {
  const [time, prompt, generated] = ['timestamp', 'contexttokens', 'generatedtokens'].map((name) =>
    names.indexOf(name),
  ) as [number, number, number];
  return {
    name: 'TIMESTAMP,ContextTokens,GeneratedTokens',
    hasHeader: true,
    columns: names.length,
    calendar: true,
    readRow: (cells) => {
      const promptTokens = readCount('ContextTokens', cells[prompt] ?? '');
      const generatedTokens = readCount('GeneratedTokens', cells[generated] ?? '');
      const callMs = MS_PER_PROMPT_TOKEN * promptTokens + MS_PER_GENERATED_TOKEN * generatedTokens;
      return { arrivalMs: readTime('TIMESTAMP', cells[time] ?? ''), durationMs: CALLS_PER_JOB * callMs };
    },
  };
}

const isNumber = (text: string): boolean => /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$/i.test(text);

function readSeconds(column: string, text: string): number {
  const ms = isNumber(text) ? Number(text) * 1000 : Number.NaN;
  if (!(ms >= 0)) throw new BadRow(`${column} must be a number of seconds, 0 or more, not ${quote(text)}`);
  if (column === 'arrival' && ms > FARTHEST_MS)
    throw new BadRow(`an arrival of ${quote(text)} is no number of seconds: is it in milliseconds?`);
  if (column === 'duration' && ms > YEAR_MS)
    throw new BadRow(`a duration of ${text.trim()} s is more than a year: is it in milliseconds?`);
  return ms;
}

function readCount(column: string, text: string): number {
  if (!/^\s*\d{1,9}\s*$/.test(text)) throw new BadRow(`${column} must be a whole number of tokens, not ${quote(text)}`);
  return Number(text);
}

function readTime(column: string, text: string): number {
  const at = parseTime(text);
  if (at === undefined) {
    throw new BadRow(`${column} must be a time such as 2023-11-16 18:17:03.9799600, not ${quote(text)}`);
  }
  return at;
}

const TIME = /^\s*(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,9})?\s*(Z|[-+]\d\d:?\d\d)?\s*$/;

/** Without a zone it is UTC. A fraction finer than a millisecond is kept. */
function parseTime(text: string): number | undefined {
  const parts = TIME.exec(text);
  if (parts === null) return undefined;
  const [, day = '', clock = '', fraction = '', zone = 'Z'] = parts;
  // JavaScript takes February 30 for March 2.
  const midnight = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return undefined;
  const at = Date.parse(`${day}T${clock}${zone}`);
  return Number.isNaN(at) ? undefined : at + Number(`0${fraction}`) * 1000;
}

/** Cut, and with nothing in it that a terminal would obey. */
const quote = (text: string): string => `"${printable(text.length > 60 ? `${text.slice(0, 59)}…` : text)}"`;
