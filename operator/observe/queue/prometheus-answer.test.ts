import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numberIn } from './prometheus-answer.ts';

const NOW = 1_767_614_400_000;
const at = (value: string, seconds = NOW / 1000) => [seconds, value];
const success = (data: unknown, more: object = {}) => JSON.stringify({ status: 'success', data, ...more });
const vector = (...values: unknown[]) =>
  success({ resultType: 'vector', result: values.map((value) => ({ metric: { queue: 'q' }, value })) });

describe('the answer of Prometheus', () => {
  it.each([
    ['one sample', vector(at('7')), 7],
    ['a fraction, which is rounded up', vector(at('2.1')), 3],
    ['none that wait', vector(at('0')), 0],
    ['a scalar', success({ resultType: 'scalar', result: at('12') }), 12],
    ['a number as Go writes it', vector(at('1.2e+06')), 1_200_000],
  ])('is a number of jobs: %s', (_, body, value) => {
    expect(numberIn(body, NOW)).toEqual({ ok: true, value, at: NOW });
  });

  it.each([
    ['no result', vector(), 'the query has no result'],
    ['several samples', vector(at('1'), at('2')), 'the query has 2 results and must have one'],
    ['NaN', vector(at('NaN')), 'the result of the query is NaN'],
    ['+Inf', vector(at('+Inf')), 'the result of the query is +Inf'],
    ['fewer than no jobs', vector(at('-1')), 'the result of the query is -1'],
    ['more than a queue holds', vector(at('1e12')), 'the result of the query is 1e12: does it count jobs?'],
    ['no number at all', vector(at('')), 'the result of the query is '],
    ['an old sample', vector(at('5', NOW / 1000 - 80)), 'of another time, 80 s ago'],
    ['a sample of the future', vector(at('5', NOW / 1000 + 80)), 'of another time, -80 s ago'],
    ['a histogram', success({ resultType: 'vector', result: [{ metric: {}, histogram: [1, {}] }] }), 'is a histogram'],
    ['a matrix', success({ resultType: 'matrix', result: [] }), 'the query gives a matrix'],
    ['a string', success({ resultType: 'string', result: at('7') }), 'the query gives a string'],
    [
      'an answer with a part missing',
      success({ resultType: 'scalar', result: at('7') }, { warnings: ['store down'] }),
      'its answer is not whole: store down',
    ],
    [
      'an error',
      '{"status":"error","errorType":"bad_data","error":"parse error\\nsecond line"}',
      'it refuses the query: bad_data: parse error',
    ],
    ['a page', '<html>', 'does not answer like'],
    ['JSON of something else', '{"status":"ok"}', 'does not answer like'],
    ['a body that was cut', vector(at('7')).slice(0, -3), 'does not answer like'],
  ])('is unknown, never 0, when it has %s', (_, body, because) => {
    expect(numberIn(body, NOW)).toEqual({ ok: false, because: expect.stringContaining(because) });
  });

  it('says no more of an error than a line of 200 characters', () => {
    const body = JSON.stringify({ status: 'error', errorType: 'e', error: 'x'.repeat(9_999) });
    const answer = numberIn(body, NOW);
    expect(!answer.ok && answer.because.length).toBeLessThan(250);
  });

  it('gives a number or a reason for whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (body) => {
        const answer = numberIn(body, NOW);
        if (answer.ok) expect(answer.value).toBeGreaterThanOrEqual(0);
        else expect(answer.because.length).toBeGreaterThan(0);
      }),
    );
  });
});
