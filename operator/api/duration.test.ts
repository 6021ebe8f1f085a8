import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

describe('a duration', () => {
  it.each([
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h', 3_600_000],
    ['24h', 86_400_000],
    ['1h0m5s', 3_605_000],
    ['500ms', 500],
    ['0s', 0],
  ])('reads %s as %i milliseconds', (text, millis) => {
    expect(parseDuration(text)).toBe(millis);
  });

  it.each(['', '5 minutes', '5min', '30', '1.5h', '-3s', '30s ', '5m\n', '30s1h', '1m1m', '1000000h', 'PT5M'])(
    'does not read %j',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  it('is written the short way', () => {
    expect([90_000, 3_600_000, 3_605_000, 250, 0, 1499.6].map(formatDuration)).toEqual([
      '1m30s',
      '1h',
      '1h5s',
      '250ms',
      '0s',
      '1s500ms',
    ]);
  });

  it('comes back as it was written, for every whole number of milliseconds up to 100 years', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 * 365 * 86_400_000 }), (millis) => {
        expect(parseDuration(formatDuration(millis))).toBe(millis);
      }),
    );
  });

  it('means the same after it was read and written again', () => {
    const part = (unit: string, max = 999_999) =>
      fc.option(
        fc.integer({ min: 0, max }).map((count) => `${count}${unit}`),
        { nil: '' },
      );
    const text = fc.tuple(part('h', 900_000), part('m'), part('s'), part('ms')).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (written) => {
        const millis = parseDuration(written);
        if (written === '') expect(millis).toBeUndefined();
        else expect(parseDuration(formatDuration(millis ?? Number.NaN))).toBe(millis);
      }),
    );
  });
});
