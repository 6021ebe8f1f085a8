import { everyWrite } from '../fixtures/operators/killed-retries.ts';
import { testKilledRetries } from '../fixtures/operators/killed-retries-suite.ts';

testKilledRetries({ blows: everyWrite(), leastKilled: 40, maxRetries: 3, limitMs: 3_600_000 });
