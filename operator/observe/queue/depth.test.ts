import { expect, it } from 'vitest';
import { hashTagOf } from './depth.ts';

it.each([
  ['{bull}', 'q', 'bull'],
  ['bull', '{q}', 'q'],
  ['a{b{c}', 'q}', 'b{c'],
  ['bull', 'q', undefined],
  // The first braces are empty, so the whole key counts: another pair behind them does not.
  ['{}{bull}', 'q', undefined],
  ['bull}', 'q{', undefined],
])('finds the hash tag of the queue %s:%s as a Redis Cluster does', (prefix, name, tag) => {
  expect(hashTagOf({ prefix, name })).toBe(tag);
});
