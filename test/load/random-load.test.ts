import { testRandomLoad } from '../fixtures/random-load/suite.ts';

// Three minutes with all that is around it; test/long/random-load.test.ts is the whole.
testRandomLoad({ lengthMs: 120_000, longestJobMs: 30_000, kills: 2, leastRemoved: 10 });
