import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isEarlier } from './stream-id.ts';

const part = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 12n }));
const id = fc.tuple(part, part);
const write = ([millis, sequence]: readonly [bigint, bigint]) => `${millis}-${sequence}`;

it('orders ids as Redis does: by the milliseconds, then by the sequence, as numbers of 64 bits', () => {
  fc.assert(
    fc.property(id, id, (a, b) => {
      const isBefore = a[0] === b[0] ? a[1] < b[1] : a[0] < b[0];
      expect(isEarlier(write(a), write(b))).toBe(isBefore);
    }),
  );
});

it('takes an id without a sequence for the first of its millisecond', () => {
  expect([isEarlier('5', '5-1'), isEarlier('5-0', '5'), isEarlier('4-9', '5')]).toEqual([true, false, true]);
});
