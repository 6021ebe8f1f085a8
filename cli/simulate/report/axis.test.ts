import { describe, expect, it } from 'vitest';
import { countTicks, timeTicks } from './axis.ts';

const HOUR = 3_600_000;
const labels = (ticks: readonly { label: string }[]): string[] => ticks.map(({ label }) => label);

describe('the axes of a report', () => {
  it.each([
    [45_000, ['0', '10 s', '20 s', '30 s', '40 s']],
    [3_500_000, ['0', '10 min', '20 min', '30 min', '40 min', '50 min']],
    [5 * HOUR, ['0', '1 h', '2 h', '3 h', '4 h', '5 h']],
    [7 * 24 * HOUR, ['0', '1 d', '2 d', '3 d', '4 d', '5 d', '6 d', '7 d']],
  ])('has round times for %d ms', (length, expected) => {
    expect(labels(timeTicks(length))).toEqual(expected);
  });

  it('has few times, however long a replay takes', () => {
    for (let length = 1000; length < 1e12; length *= 1.7) expect(timeTicks(length).length).toBeLessThan(300);
    for (let length = 1000; length < 366 * 24 * HOUR; length *= 1.7)
      expect(timeTicks(length).length).toBeLessThanOrEqual(9);
  });

  it.each([
    [0, ['0', '1']],
    [3, ['0', '1', '2', '3']],
    [47, ['0', '20', '40', '60']],
    [100, ['0', '25', '50', '75', '100']],
    [12_000, ['0', '5,000', '10,000', '15,000']],
  ])('has round numbers up to at least %d', (most, expected) => {
    expect(labels(countTicks(most))).toEqual(expected);
  });
});
