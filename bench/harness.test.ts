import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defineBench, describeMetrics, runBench, summarize } from './harness.ts';

const context = { say: () => {}, signal: new AbortController().signal };
const figures = [
  { id: 'start.cold_ms', unit: 'ms' },
  { id: 'start.ratio', unit: '1' },
];

describe('summing up the values of a figure', () => {
  it('takes the value in the middle, or the mean of the two in the middle', () => {
    expect(summarize('a', [9, 1, 5])).toEqual({ median: 5, min: 1, max: 9, runs: 3 });
    expect(summarize('a', [4, 1, 2, 9])).toEqual({ median: 3, min: 1, max: 9, runs: 4 });
    expect(summarize('a', [1 / 3])).toEqual({ median: 0.333333, min: 0.333333, max: 0.333333, runs: 1 });
  });

  it('keeps the median between the extremes, in whatever order the values came', () => {
    const values = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(values, (list) => {
        const { median, min, max, runs } = summarize('a', list);
        expect(min <= median && median <= max).toBe(true);
        expect(summarize('a', list.toReversed())).toEqual({ median, min, max, runs });
      }),
    );
  });
});

describe('running a bench', () => {
  it('reports each figure that it declares over all runs', async () => {
    const bench = defineBench({
      name: 'start',
      figures,
      run: async ({ record }) => {
        for (const value of [30, 10, 20]) record('start.cold_ms', value);
        record('start.ratio', 1.5);
      },
    });
    const metrics = await runBench(bench, context);
    expect(metrics).toEqual([
      { id: 'start.cold_ms', unit: 'ms', median: 20, min: 10, max: 30, runs: 3 },
      { id: 'start.ratio', unit: '1', median: 1.5, min: 1.5, max: 1.5, runs: 1 },
    ]);
    expect(describeMetrics(metrics).split('\n')).toEqual([
      'figure         unit  median  min  max  runs',
      'start.cold_ms  ms        20   10   30     3',
      'start.ratio    1        1.5  1.5  1.5     1',
    ]);
  });

  it.each([
    ['leaves a figure without a value', 'start.cold_ms', 1, 'start.ratio has no value'],
    ['records a figure that it does not declare', 'start.other', 1, 'does not declare the figure start.other'],
    ['measures no number', 'start.ratio', Number.NaN, 'start.ratio was measured as NaN'],
  ])('fails when it %s', async (_what, id, value, message) => {
    const bench = defineBench({ name: 'start', figures, run: async ({ record }) => record(id, value) });
    await expect(runBench(bench, context)).rejects.toThrow(message);
  });

  it.each([
    ['belongs to another bench', [{ id: 'stop.ms', unit: 'ms' }]],
    ['is declared twice', [...figures, ...figures]],
    ['is missing', []],
  ])('is refused when a figure %s', (_what, wrong) => {
    expect(() => defineBench({ name: 'start', figures: wrong, run: async () => {} })).toThrow(/figure/);
  });
});
