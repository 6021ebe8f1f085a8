import { everyWrite } from '../fixtures/operators/killed-retries.ts';
import { testKilledRetries } from '../fixtures/operators/killed-retries-suite.ts';

const PART = 8;
const CLOSED = [0, 1, 2].map((part) => [part * PART + 1, (part + 1) * PART] as const);

testKilledRetries({
  everyKind: true,
  maxRetries: 2,
  limitMs: 1_800_000,
  parts: [
    ...CLOSED.map(([first, last]) => ({
      when: `before and after each of the writes ${first} to ${last}`,
      blows: everyWrite(first, last),
      leastKilled: 2 * PART,
    })),
    { when: 'before and after each of the writes that are left', blows: everyWrite(3 * PART + 1), leastKilled: 1 },
  ],
});
