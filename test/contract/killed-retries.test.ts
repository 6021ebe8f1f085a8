import type { Blow } from '../fixtures/operators/killed-retries.ts';
import { testKilledRetries } from '../fixtures/operators/killed-retries-suite.ts';

// Those that a retry is made of; test/long/killed-retries.test.ts has every write.
const blows: readonly Blow[] = [
  { of: 'deletion', write: 1, when: 'before' },
  { of: 'deletion', write: 1, when: 'after' },
  { of: 'deletion', write: 2, when: 'after' },
  { of: 'status', write: 2, when: 'before' },
  { of: 'status', write: 3, when: 'after' },
  { of: 'status', write: 4, when: 'after' },
  { of: 'status', write: 5, when: 'before' },
  { of: 'status', write: 6, when: 'after' },
];
testKilledRetries({
  everyKind: false,
  parts: [{ when: 'at a write of a retry', blows, leastKilled: blows.length }],
  maxRetries: 2,
  limitMs: 600_000,
});
