import { describe, expect, it } from 'vitest';
import { asOneLine, firstLine, sayLength } from './sentence.ts';

it.each([
  [0, '0 s'],
  [790, '0.8 s'],
  [9_960, '10 s'],
  [119_900, '120 s'],
  [120_000, '2 min'],
  [7_199_999, '120 min'],
  [7_200_000, '2 h'],
  [3 * 3_600_000 - 20_000, '3 h'],
  [3 * 3_600_000 - 40_000, '2 h 59 min'],
])('says a length of %d ms as %s', (ms, said) => {
  expect(sayLength(ms)).toBe(said);
});

describe("another system's answer in a sentence of ours", () => {
  it('keeps every fault of a list that the API server gives one a line', () => {
    const refusal =
      'failed to create typed patch object (agents/a; apps/v1, Kind=Deployment): errors:\n' +
      '  .spec.template.spec.containers[name="worker"].imag: field not declared in schema\n\n' +
      '  .spec.template.spec.nodeSelektor: field not declared in schema\n';
    expect(asOneLine(refusal, 600)).toBe(
      'failed to create typed patch object (agents/a; apps/v1, Kind=Deployment): errors: ' +
        '.spec.template.spec.containers[name="worker"].imag: field not declared in schema; ' +
        '.spec.template.spec.nodeSelektor: field not declared in schema',
    );
  });

  it('is cut to its limit, a mark at its end', () => {
    expect(asOneLine('a\n'.repeat(500), 20)).toBe('a; a; a; a; a; a; a…');
    expect(firstLine('one line\nand another')).toBe('one line');
  });
});
