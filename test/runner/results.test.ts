import { describe, expect, it } from 'vitest';
import { describeResults, hasFailed, sayDuration, type SuiteResult } from './results.ts';

const result = (name: string, more: Partial<SuiteResult> = {}): SuiteResult => ({
  name,
  passed: 0,
  failures: [],
  skips: [],
  durationMs: 1_000,
  ...more,
});

describe('the closing lines', () => {
  const results = [
    result('check', { passed: 6, durationMs: 3_140 }),
    result('unit', { passed: 240, failures: ['a.test.ts > divides'], durationMs: 61_000 }),
    result('long', {
      skips: [
        { name: 'a', reason: 'runs with npm test -- long' },
        { name: 'b', reason: 'runs with npm test -- long' },
        { name: 'c', reason: 'no Docker engine' },
      ],
    }),
  ];

  it('show each suite with its time, then every reason and failure, and end with the sums', () => {
    expect(describeResults(results, 65_000).split('\n')).toEqual([
      'suite            passed   failed  skipped        time',
      'check                 6        0        0       3.1 s',
      'unit                240        1        0  1 min 01 s',
      'long                  0        0        3       1.0 s',
      'in all                                     1 min 05 s',
      '',
      'skipped: 2 tests (long: runs with npm test -- long)',
      'skipped: c (long: no Docker engine)',
      'failed: unit: a.test.ts > divides',
      '246 passed, 1 failed, 3 skipped',
    ]);
  });

  it('say that nothing at all is no success', () => {
    expect(hasFailed([])).toBe(true);
    expect(hasFailed(results)).toBe(true);
    expect(hasFailed(results.slice(0, 1))).toBe(false);
  });

  it.each([
    [0, '0.0 s'],
    [59_900, '59.9 s'],
    [59_970, '1 min 00 s'],
    [3_725_000, '62 min 05 s'],
  ])('say %i ms as %s', (ms, said) => {
    expect(sayDuration(ms)).toBe(said);
  });
});
