import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isKept } from './sampling.ts';

const kept = (share: number, seed = 1): number[] =>
  Array.from({ length: 4000 }, (_, index) => index + 1).filter((row) => isKept(row, { share, seed }));

describe('the sampling of rows', () => {
  it('is what the description of the traces says', () => {
    const digest = createHash('sha256').update('7:42').digest('hex');
    const share = (Number.parseInt(digest.slice(0, 8), 16) + 1) / 2 ** 32;
    expect(isKept(42, { share, seed: 7 })).toBe(true);
    expect(isKept(42, { share: share - 2 ** -32, seed: 7 })).toBe(false);
  });

  it('keeps about its share, everything at 1, and a smaller share is part of a greater one', () => {
    expect(kept(0.25).length / 4000).toBeCloseTo(0.25, 1);
    expect(kept(1)).toHaveLength(4000);
    expect(kept(0.5)).toEqual(expect.arrayContaining(kept(0.1)));
  });
});
