import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../cluster/until.ts';
import { identitiesOf, readEvents } from '../fixtures/stage/health.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import {
  conditionOf,
  isReadyPod,
  poolManifest,
  type PoolRef,
  readPods,
  readPool,
  untilPool,
} from '../fixtures/stage/pool.ts';
import { startSupabase, SUPABASE_TABLE, type SupabaseStandIn } from '../fixtures/stage/supabase.ts';

const { stage, tenant } = tenantOfTests('supabase');
let supabase: SupabaseStandIn;

beforeAll(async () => {
  supabase = await startSupabase(stage, tenant.namespace);
});
afterAll(async () => {
  await supabase?.stop();
});

const ref = (key: string) => ({ secretKeyRef: { name: 'supabase', key } });
const HEALTH = {
  interval: '2s',
  timeout: '1s',
  failureThreshold: 2,
  supabase: { url: ref('URL'), key: ref('KEY'), table: SUPABASE_TABLE },
};
const RESTARTS = { maxRetries: 3, backoff: { base: '1s', max: '2s' }, resetAfter: '1h' };
const OPTIONS = { minReplicas: 2, maxReplicas: 2, health: HEALTH, restarts: RESTARTS } as const;

const untilAllReady = (pool: PoolRef, replicas: number) =>
  until(async () => (await readPods(stage, pool)).filter(isReadyPod).length === replicas, {
    what: `${replicas} replicas of ${pool.name} are ready`,
  });

const untilSaid = (pool: PoolRef, reason: string, words: RegExp) =>
  untilPool(stage, pool, {
    what: `${pool.name} says ${reason}: ${words}`,
    holds: (seen) => {
      const condition = conditionOf(seen, 'DependenciesHealthy');
      return condition?.reason === reason && words.test(condition.message);
    },
  });

const untilWell = (pool: PoolRef) => untilSaid(pool, 'Healthy', /Supabase answers the operator and \d+ replica/);

describe('a Supabase that is required', () => {
  it('holds the workers while it is out, says each trouble in its own words, restarts nobody and spends no attempt', async () => {
    const { ref: pool, jobs } = await tenant.addPool({ name: 'held', ...OPTIONS });
    await untilAllReady(pool, 2);
    await untilWell(pool);
    const before = await identitiesOf(stage, pool);
    await supabase.answer(503);
    await untilSaid(pool, 'DependencyUnavailable', /Supabase is out: for the operator it answers 503/);
    await untilPool(stage, pool, {
      what: 'both replicas are held',
      holds: ({ status }) => status?.workers?.filter(({ phase }) => phase === 'Held').length === 2,
    });
    const ids = await jobs.add({ jobs: 10, minMs: 100, maxMs: 200 });
    await supabase.answer('hang');
    await untilSaid(pool, 'DependencyUnavailable', /did not answer within/);
    expect(await jobs.counts()).toMatchObject({ waiting: 10, active: 0, completed: 0, failed: 0 });
    expect((await readPool(stage, pool))?.status?.replicas).toMatchObject({ current: 2 });
    await supabase.answer('ok');
    await jobs.untilDone(ids);
    expect(await jobs.outcome(ids)).toMatchObject({ jobs: 10, completed: 10, failed: 0, lost: 0, runTwice: 0 });
    await untilWell(pool);
    await supabase.answer(401);
    await untilSaid(pool, 'DependencyUnavailable', /refuses the key \(401\)/);
    await supabase.answer('ok');
    await untilWell(pool);
    expect(await identitiesOf(stage, pool)).toMatchObject(before);
    expect((await readEvents(stage, pool)).filter(({ reason }) => reason === 'ReplicaRestarted')).toEqual([]);
  });

  it('that is out lets one replica start where there is none and jobs wait, to see whether it is over', async () => {
    const { ref: pool, jobs } = await tenant.addPool({ name: 'canary', ...OPTIONS, minReplicas: 0 });
    await untilWell(pool);
    await supabase.answer(503);
    await untilSaid(pool, 'DependencyUnavailable', /Supabase is out: for the operator it answers 503/);
    const ids = await jobs.add({ jobs: 100, minMs: 100, maxMs: 200 });
    await untilPool(stage, pool, {
      what: 'one replica has started and is held',
      holds: ({ status }) => status?.workers?.length === 1 && status.workers[0]?.phase === 'Held',
    });
    expect((await readPool(stage, pool))?.status?.replicas).toMatchObject({ current: 1 });
    await supabase.answer('ok');
    await jobs.untilDone(ids);
    expect(await jobs.outcome(ids)).toMatchObject({ jobs: 100, completed: 100, failed: 0, lost: 0, runTwice: 0 });
    await untilWell(pool);
  });

  it('that refuses only the key of the workers freezes the pool, and the corrected template is applied all the same', async () => {
    const wrong = { env: [{ name: 'SUPABASE_SERVICE_ROLE_KEY', value: 'sb_secret_wrong' }] };
    const { ref: pool } = await tenant.addPool({ name: 'wrong-key', ...OPTIONS, container: wrong });
    await untilSaid(pool, 'ReplicasCannotReach', /2 of 2 replicas cannot reach Supabase .* although the operator can/);
    await stage.kubectl.apply([poolManifest({ ...pool, ...OPTIONS, image: stage.images.worker })]);
    await untilWell(pool);
    await untilAllReady(pool, 2);
    expect((await readPool(stage, pool))?.status?.restarts).toMatchObject({ used: 0 });
  });
});
