import { lineScanner, type Scanner } from './exposition-scanner.ts';

export type Labels = Readonly<Record<string, string>>;
export type Sample = Readonly<{ name: string; labels: Labels; value: number; line: number }>;

export type Exposition = Readonly<{
  samples: readonly Sample[];
  /** Declared by `# TYPE`: a counter or histogram with labels that has counted nothing is declared and has no sample. */
  types: ReadonlyMap<string, string>;
}>;

/** A line that is not of the format. Holds the number of the line, from 1, and never the line itself. */
export class ExpositionError extends Error {
  override name = 'ExpositionError';
  readonly line: number;
  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
    this.line = line;
  }
}

export type ExpositionLimits = Readonly<{
  /** Names of the samples to keep; all others are checked and dropped. */
  keep: ReadonlySet<string>;
  maxLength?: number;
  maxSamples?: number;
}>;

const MAX_LENGTH = 1_048_576;
const MAX_SAMPLES = 10_000;
const MAX_TYPES = 10_000;

const TYPES = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped']);
const OPENMETRICS_TYPES = new Set(['unknown', 'info', 'stateset', 'gaugehistogram']);

/**
 * Reads the Prometheus text format (prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4), and of
 * OpenMetrics the exemplars, timestamps in seconds and `# EOF`. Strict: the first line that is not of the format throws
 * an ExpositionError, and so does a last line without its line feed, since the body was cut there. One pass, no
 * backtracking; memory is bounded by `keep` and the limits.
 */
export function parseExposition(text: string, limits: ExpositionLimits): Exposition {
  const { keep, maxLength = MAX_LENGTH, maxSamples = MAX_SAMPLES } = limits;
  if (text.length > maxLength) throw new ExpositionError(1, `the text is longer than ${maxLength} characters`);
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  let number = 0;
  let ended = false;
  for (let start = 0; start < text.length; ) {
    number += 1;
    const end = text.indexOf('\n', start);
    if (end === -1) throw new ExpositionError(number, 'the last line has no line feed; the text was cut');
    if (ended) throw new ExpositionError(number, 'there is more after # EOF');
    const scanner = lineScanner({ text, start, end, error: (problem) => new ExpositionError(number, problem) });
    start = end + 1;
    scanner.skipBlanks();
    if (scanner.atEnd()) continue;
    if (scanner.peek() === '#') {
      ended = readComment(scanner, types);
      continue;
    }
    const sample = readSample(scanner);
    if (!keep.has(sample.name)) continue;
    if (samples.length === maxSamples) scanner.fail(`more than ${maxSamples} samples`);
    samples.push({ ...sample, line: number });
  }
  return { samples, types };
}

/** Returns true for `# EOF`. A comment that is neither that nor HELP nor TYPE may say anything. */
function readComment(scanner: Scanner, types: Map<string, string>): boolean {
  scanner.expect('#');
  scanner.skipBlanks();
  const keyword = scanner.token();
  if (keyword === 'EOF') {
    scanner.skipBlanks();
    return scanner.atEnd();
  }
  if (keyword !== 'TYPE' && keyword !== 'HELP') return false;
  scanner.skipBlanks();
  const name = scanner.metricName();
  if (keyword === 'HELP') return false;
  scanner.skipBlanks();
  const type = scanner.token();
  scanner.skipBlanks();
  if (!scanner.atEnd() || !(TYPES.has(type) || OPENMETRICS_TYPES.has(type))) {
    scanner.fail('the type of the metric is not one of the format');
  }
  if (types.has(name)) scanner.fail('the metric has a second TYPE');
  if (types.size === MAX_TYPES) scanner.fail(`more than ${MAX_TYPES} metrics`);
  types.set(name, type);
  return false;
}

function readSample(scanner: Scanner): Omit<Sample, 'line'> {
  const name = scanner.metricName();
  scanner.skipBlanks();
  const labels = scanner.peek() === '{' ? readLabels(scanner) : {};
  scanner.skipBlanks();
  const value = scanner.number();
  scanner.skipBlanks();
  if (!scanner.atEnd() && scanner.peek() !== '#') scanner.timestamp();
  scanner.skipBlanks();
  if (scanner.peek() === '#') readExemplar(scanner);
  if (!scanner.atEnd()) scanner.fail('there is more after the sample');
  return { name, labels, value };
}

function readLabels(scanner: Scanner): Labels {
  // Without a prototype, `__proto__` is a label like any other.
  const labels: Record<string, string> = Object.create(null) as Record<string, string>;
  scanner.expect('{');
  scanner.skipBlanks();
  while (scanner.peek() !== '}') {
    const name = scanner.labelName();
    scanner.skipBlanks();
    scanner.expect('=');
    scanner.skipBlanks();
    const value = scanner.quoted();
    if (name in labels) scanner.fail('a label stands there twice');
    labels[name] = value;
    scanner.skipBlanks();
    if (scanner.peek() !== ',') break;
    scanner.expect(',');
    scanner.skipBlanks();
  }
  scanner.expect('}');
  return labels;
}

/** `# {trace_id="…"} value [timestamp]`, checked and dropped. */
function readExemplar(scanner: Scanner): void {
  scanner.expect('#');
  scanner.skipBlanks();
  readLabels(scanner);
  scanner.skipBlanks();
  scanner.number();
  scanner.skipBlanks();
  if (!scanner.atEnd()) scanner.timestamp();
  scanner.skipBlanks();
}
