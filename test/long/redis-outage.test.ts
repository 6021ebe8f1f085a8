import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectSurvived } from '../fixtures/redis-outage/expect.ts';
import { sufferOutage } from '../fixtures/redis-outage/suffer.ts';
import { installOperator } from '../fixtures/stage/install.ts';
import { embeddedOf } from '../fixtures/stage/sabotage.ts';
import { stageOfTests } from '../fixtures/stage/stage.ts';
import { openSpoiltTenant } from '../fixtures/stage/tenant.ts';

const stage = stageOfTests();
beforeAll(() => installOperator(stage));
afterAll(() => stage.close());

it('a pool of six replicas under load survives three minutes without Redis, with all that is set by default', async (ctx) => {
  if (!embeddedOf(stage))
    return ctx.skip('Redis is taken away by a proxy in the network of the node, out of reach here');
  const tenant = await openSpoiltTenant(stage, 'outage');
  try {
    const load = { jobs: 480, minMs: 2000, maxMs: 4000 };
    const outcome = await sufferOutage(stage, tenant, { replicas: 6, slots: 5, load, lastsMs: 180_000, pool: {} });
    console.log(JSON.stringify({ ...outcome, before: undefined, after: undefined }));
    expectSurvived(outcome);
    expect(outcome.running).toBe(30);
  } finally {
    await tenant.close();
  }
});
