import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AgentWorkerPool } from '../../operator/api/pool.ts';
import { pods } from '../../operator/kube/resources.ts';
import { until } from '../cluster/until.ts';
import { helm as helmTool } from '../tools/catalog.ts';
import { programOf } from '../fixtures/programs.ts';
import { identitiesOf, readEvents } from '../fixtures/stage/health.ts';
import { installOperator, onOperator, OPERATOR_NAMESPACE } from '../fixtures/stage/install.ts';
import { cutOff, moveOutside } from '../fixtures/stage/network.ts';
import { isReadyPod, type PodNow, type PoolRef, readPods, untilPool } from '../fixtures/stage/pool.ts';
import { embeddedOf } from '../fixtures/stage/sabotage.ts';
import { type Stage, stageOfTests } from '../fixtures/stage/stage.ts';
import { openTenant, type Tenant } from '../fixtures/stage/tenant.ts';

const project = join(import.meta.dirname, '..', '..');
const VARIABLE = 'REPLICA_HEALTH_THROUGH';
const HEALTH = { interval: '2s', timeout: '1s', failureThreshold: 3 };
const RESTARTS = { maxRetries: 3, backoff: { base: '1s', max: '2s' }, resetAfter: '1h' };

const stage = stageOfTests();
let tenant: Tenant;
beforeAll(async () => {
  await installOperator(stage, { [VARIABLE]: 'PodProxy' });
  tenant = await openTenant(stage, 'pod-proxy');
});
afterAll(async () => {
  await tenant?.close();
  await onOperator(stage, ['set', 'env', 'deployment/agent-worker-pool', `${VARIABLE}-`]);
  await stage.kubectl.apply(await readFile(join(project, 'deploy/base/rbac.yaml'), 'utf8'));
  await stage.close();
});

/** The name of its pod, when that of before has ended. */
const untilOneOperator = (stage: Stage): Promise<string> =>
  until(
    async () => {
      const { items } = await stage.client.list<PodNow>(pods, { namespace: OPERATOR_NAMESPACE });
      return items.length === 1 && items[0]?.metadata.name;
    },
    { what: 'one operator is there' },
  );

/** Until this holds of what the status says of Redis for each replica, by its name. */
const untilRedis = (
  stage: Stage,
  ref: PoolRef,
  holds: (redis: Readonly<Record<string, string | undefined>>) => boolean,
): Promise<AgentWorkerPool> =>
  untilPool(stage, ref, {
    what: 'the status says so of Redis',
    holds: ({ status }) => holds(Object.fromEntries((status?.workers ?? []).map(({ pod, redis }) => [pod, redis]))),
  });

it('an operator that runs outside, and reaches no pod, sees through the API server what each replica says, and replaces the one that is cut off', async (ctx) => {
  if (!embeddedOf(stage)) return ctx.skip('the operator is moved outside in its network namespace, out of reach here');
  const helm = await programOf(helmTool, ctx);
  const rights = ['--show-only', 'templates/rbac.yaml', '--set', 'operator.replicaHealthThrough=PodProxy'];
  const names = ['agent-worker-pool', join(project, 'charts/agent-worker-pool'), '--namespace', OPERATOR_NAMESPACE];
  await stage.kubectl.apply(await helm('template', ...names, ...rights));
  await moveOutside(stage, { namespace: OPERATOR_NAMESPACE, name: await untilOneOperator(stage) });
  const options = { name: 'outside', minReplicas: 2, maxReplicas: 2, health: HEALTH, restarts: RESTARTS };
  const { ref } = await tenant.addPool(options);
  const seen = await untilRedis(stage, ref, (each) => Object.values(each).join() === 'Healthy,Healthy');
  // What it would read at the addresses of the pods, it reads from Redis.
  expect(seen.status?.queue?.source).toBe('Redis');

  await until(async () => (await readPods(stage, ref)).filter(isReadyPod).length === 2, { what: 'both are ready' });
  const [victim] = await readPods(stage, ref);
  const { name = '', uid = '' } = victim?.metadata ?? {};
  const { [uid]: _cut, ...others } = await identitiesOf(stage, ref);
  const address = ['get', 'service', 'redis', '-n', tenant.namespace, '-o', 'jsonpath={.spec.clusterIP}'];
  await cutOff(stage, { ...ref, name }, [await stage.kubectl.run(address)]);
  await untilRedis(stage, ref, (each) => each[name] === 'Unhealthy');
  const restarted = async () => (await readEvents(stage, ref)).filter(({ reason }) => reason === 'ReplicaRestarted');
  await until(async () => (await restarted()).length === 1, { what: 'it is replaced', limitMs: 240_000 });
  expect((await restarted())[0]?.note).toContain('it alone cannot reach Redis');
  await untilRedis(stage, ref, (each) => each[name] === undefined && Object.values(each).join() === 'Healthy,Healthy');
  expect(await identitiesOf(stage, ref)).toMatchObject(others);
  return undefined;
});
