import fc from 'fast-check';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { ExpositionError, parseExposition } from './exposition.ts';

const samplesOf = (text: string, ...keep: string[]) =>
  parseExposition(text, { keep: new Set(keep.length === 0 ? ['a', 'b'] : keep) }).samples.map(
    ({ name, labels, value }) => ({ name, labels: { ...labels }, value }),
  );

const errorOf = (text: string, limits: { maxLength?: number; maxSamples?: number } = {}): ExpositionError => {
  try {
    parseExposition(text, { keep: new Set(['a']), ...limits });
  } catch (error) {
    if (error instanceof ExpositionError) return error;
    throw error;
  }
  throw new Error('the text was accepted');
};

describe('the Prometheus text format', () => {
  it.each([
    ['a 1\n', {}, 1],
    ['a{} 1\n', {}, 1],
    ['a{x="1"} 2\n', { x: '1' }, 2],
    ['a{x="1",y="2",} 3.5\n', { x: '1', y: '2' }, 3.5],
    ['  a { x = "1" , y = "2" } \t 4 \n', { x: '1', y: '2' }, 4],
    ['a{x="} 1\\n\\"\\\\ # 9"} 5\n', { x: '} 1\n"\\ # 9' }, 5],
    ['a{__proto__="p"} 6\n', JSON.parse('{"__proto__":"p"}'), 6],
    ['a{x="ü 日本"} 7\n', { x: 'ü 日本' }, 7],
    ['a 1e3\n', {}, 1000],
    ['a -.5E-1\n', {}, -0.05],
    ['a +Inf\n', {}, Infinity],
    ['a -Inf\n', {}, -Infinity],
    ['a inf\n', {}, Infinity],
    ['a NaN\n', {}, NaN],
    ['a 1 1395066363000\n', {}, 1],
    ['a 1 1395066363.5\n', {}, 1],
    ['a 1 -3\n', {}, 1],
    ['a{x="1"} 1 # {trace_id="t"} 0.67\n', { x: '1' }, 1],
    ['a 1 12 # {trace_id="t"} 0.67 1520879607.789\n', {}, 1],
    ['a 1\n# EOF\n', {}, 1],
    ['\n \n# a comment { " \\x\n#\na 1\n', {}, 1],
  ])('reads %j', (text, labels, value) => {
    expect(samplesOf(text)).toEqual([{ name: 'a', labels, value }]);
  });

  it('reads nothing from nothing', () => {
    expect(samplesOf('')).toEqual([]);
  });

  it('keeps the types that are declared, and only the samples that are asked for', () => {
    const text = '# HELP a What it is.\n# TYPE a counter\na 1\n# TYPE c histogram\nc_sum 1\nc_count 2\n';
    const { samples, types } = parseExposition(text, { keep: new Set(['c_sum']) });
    expect([...types]).toEqual([
      ['a', 'counter'],
      ['c', 'histogram'],
    ]);
    expect(samples).toMatchObject([{ name: 'c_sum', line: 5 }]);
  });

  it.each([
    ['a 1', 1, 'cut'],
    ['a 1\na{x="1', 2, 'cut'],
    ['a\n', 1, 'number'],
    ['a{x="1"}\n', 1, 'number'],
    ['a one\n', 1, 'number'],
    ['a 1 2 3\n', 1, 'more after'],
    ['a 1 now\n', 1, 'timestamp'],
    ['a 0x10\n', 1, 'number'],
    ['a 1_000\n', 1, 'number'],
    ['a 1,5\n', 1, 'number'],
    [`a ${'1'.repeat(65)}\n`, 1, 'number'],
    ['b 1\n1a 1\n', 2, 'name of a metric'],
    ['a{x="1" 1\n', 1, '}'],
    ['a{x="1" y="2"} 1\n', 1, '}'],
    ['a{,} 1\n', 1, 'name of a label'],
    ['a{x=1} 1\n', 1, '"'],
    ['a{x="1} 1\nb{y="2"} 1\n', 1, '"'],
    ['a{x:y="1"} 1\n', 1, '='],
    ['a{x="1",x="2"} 1\n', 1, 'twice'],
    ['a{x="\\t"} 1\n', 1, 'backslash'],
    ['a{x="\\\n"} 1\n', 1, 'backslash'],
    ['# TYPE a kind\n', 1, 'type'],
    ['# TYPE a\n', 1, 'type'],
    ['# TYPE a gauge gauge\n', 1, 'type'],
    ['# TYPE a gauge\n# TYPE a gauge\n', 2, 'second TYPE'],
    ['# TYPE 1 gauge\n', 1, 'name of a metric'],
    ['a 1 # trace 0.67\n', 1, '{'],
    ['a 1 # {t="1"}\n', 1, 'number'],
    ['# EOF\na 1\n', 2, 'EOF'],
    ['a 1\r\n', 1, 'number'],
    ['<html>\n', 1, 'name of a metric'],
    ['a 1\n\u0000\n', 2, 'name of a metric'],
  ])('refuses %j and names line %i', (text, line, problem) => {
    const error = errorOf(text);
    expect(error.line).toBe(line);
    expect(error.message).toContain(`line ${line}: `);
    expect(error.message).toContain(problem);
  });

  it('repeats nothing of a bad line, which may hold anything', () => {
    expect(errorOf('a{token="s3cret} 1\n').message).not.toContain('s3cret');
  });

  it('agrees with prom-client on what prom-client writes', async () => {
    const registry = new Registry();
    const registers = [registry];
    new Gauge({ name: 'g', help: 'A "gauge"\\ of\nlines', labelNames: ['q'], registers }).set({ q: 'a"b\\c\nd' }, -0.5);
    new Counter({ name: 'c_total', help: 'c', registers }).inc(3);
    registry.registerMetric(new Counter({ name: 'never_total', help: 'never', labelNames: ['q'], registers: [] }));
    const histogram = new Histogram({ name: 'h', help: 'h', labelNames: ['q'], buckets: [0.1, 1], registers });
    histogram.observe({ q: 'x' }, 0.5);
    histogram.observe({ q: 'x' }, 5);
    const text = await registry.metrics();
    expect(samplesOf(text, 'g', 'c_total', 'h_bucket', 'h_sum', 'h_count')).toEqual([
      { name: 'g', labels: { q: 'a"b\\c\nd' }, value: -0.5 },
      { name: 'c_total', labels: {}, value: 3 },
      { name: 'h_bucket', labels: { le: '0.1', q: 'x' }, value: 0 },
      { name: 'h_bucket', labels: { le: '1', q: 'x' }, value: 1 },
      { name: 'h_bucket', labels: { le: '+Inf', q: 'x' }, value: 2 },
      { name: 'h_sum', labels: { q: 'x' }, value: 5.5 },
      { name: 'h_count', labels: { q: 'x' }, value: 2 },
    ]);
    expect(parseExposition(text, { keep: new Set() }).types.get('never_total')).toBe('counter');
  });
});

const labelName = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/);
const metricName = fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,8}$/);
const sample = fc.record({
  name: metricName,
  labels: fc.dictionary(labelName, fc.string({ unit: 'binary' }), { maxKeys: 4, noNullPrototype: true }),
  value: fc.oneof(fc.double(), fc.constantFrom(Infinity, -Infinity, NaN, 0)),
  exemplar: fc.boolean(),
});

const escape = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
const numberText = (value: number) => (Number.isFinite(value) ? String(value) : `${value}`.replace('inity', ''));

const lineOf = ({ name, labels, value, exemplar }: typeof sample extends fc.Arbitrary<infer T> ? T : never) => {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
  return `${name}{${pairs.join(',')}} ${numberText(value)}${exemplar ? ' # {id="x"} 1 2' : ''}\n`;
};

describe('the parser under fuzz', () => {
  it('reads back whatever was written', () => {
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 20 }), (written) => {
        const read = samplesOf(written.map(lineOf).join(''), ...written.map(({ name }) => name), 'none');
        expect(read).toEqual(written.map(({ name, labels, value }) => ({ name, labels, value: value + 0 })));
      }),
    );
  });

  it('sees every text that was cut inside of a line', () => {
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 5 }), fc.nat(), (written, at) => {
        const text = written.map(lineOf).join('');
        const cut = text.slice(0, at % text.length);
        if (cut === '' || cut.endsWith('\n')) return;
        const lines = cut.split('\n').length;
        expect(errorOf(cut).line).toBe(lines);
      }),
    );
  });

  it('answers any text with samples or with the number of a line of it', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('a', '{', '}', '"', '\\', '=', ',', ' ', '\t', '\n', '\r\n', '#', '# TYPE ', '# EOF', '1', 'x="'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const text = pieces.join('');
        try {
          parseExposition(text, { keep: new Set(['a']) });
        } catch (error) {
          expect(error).toBeInstanceOf(ExpositionError);
          const { line } = error as ExpositionError;
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(text.split('\n').length);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the limits of the parser', () => {
  const MEGABYTES = 5 * 1_048_576;

  it('refuses a longer text than it is asked to read, before it looks at it', () => {
    expect(errorOf('x'.repeat(MEGABYTES)).message).toContain('longer than');
  });

  it('keeps no more samples than it may, whatever is dropped', () => {
    expect(errorOf('a 1\n'.repeat(11), { maxSamples: 10 })).toMatchObject({ line: 11 });
    expect(samplesOf('b 1\n'.repeat(1_000), 'a')).toEqual([]);
    const types = Array.from({ length: 10_001 }, (_, index) => `# TYPE m${index} gauge\n`).join('');
    expect(errorOf(types)).toMatchObject({ line: 10_001 });
  });

  it.each([
    ['digits', `a ${'1'.repeat(MEGABYTES)}\n`],
    ['one name', `${'a'.repeat(MEGABYTES)}\n`],
    ['backslashes', `a{x="${'\\\\'.repeat(MEGABYTES / 2)}\n`],
    ['an open label', `a{x="${'y'.repeat(MEGABYTES)}\n`],
    ['blanks', `a${' '.repeat(MEGABYTES)}x\n`],
    ['empty lines', `${'\n'.repeat(MEGABYTES)}x`],
    ['commas', `a{${','.repeat(MEGABYTES)}\n`],
    ['samples', `${'b 1\n'.repeat(MEGABYTES / 4)}x`],
  ])('gives up 5 MB of %s in time that grows with the length only', (_, text) => {
    // Processor time: how long a busy machine lets it wait says nothing of the parser.
    const before = process.threadCpuUsage();
    errorOf(text, { maxLength: MEGABYTES * 2 });
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(3_000);
  });
});
