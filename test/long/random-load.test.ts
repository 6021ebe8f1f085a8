import { testRandomLoad } from '../fixtures/random-load/suite.ts';

testRandomLoad({ lengthMs: 20 * 60_000, longestJobMs: 60_000, kills: 10, leastRemoved: 100 });
