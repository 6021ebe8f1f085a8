import { expect, it } from 'vitest';
import { EPOCH_ANNOTATION } from '../../operator/api/names.ts';
import { deployments } from '../../operator/kube/resources.ts';
import { until } from '../cluster/until.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import { onOperator } from '../fixtures/stage/install.ts';
import { conditionOf, isReadyPod, type PoolRef, readPods, untilPool } from '../fixtures/stage/pool.ts';

const { stage, tenant } = tenantOfTests('rotation');

type Found = Readonly<{
  metadata: Readonly<{ annotations: Readonly<Record<string, string>> }>;
  spec: Readonly<{ template: unknown }>;
}>;

const deploymentOf = async (ref: PoolRef): Promise<Found> => {
  const found = await stage.client.get<Found>(deployments, ref);
  if (found === undefined) throw new Error(`there is no Deployment ${ref.name}`);
  return found;
};

/** The only pod, once it is the only one and ready. */
const onlyPod = (ref: PoolRef, isIt: (name: string) => boolean): Promise<string> =>
  until(
    async () => {
      const [pod, ...others] = await readPods(stage, ref);
      return pod !== undefined && others.length === 0 && isReadyPod(pod) && isIt(pod.metadata.name)
        ? pod.metadata.name
        : undefined;
    },
    { what: `${ref.name} has one ready pod`, everyMs: 200 },
  );

const secretWith = (namespace: string, data: Readonly<Record<string, string>>) =>
  stage.kubectl.run(['patch', 'secret', 'agent-jobs-env', '-n', namespace, '-p', JSON.stringify({ stringData: data })]);

it('rolls out a rotated Redis password, and an operator that restarts rolls out nothing', async () => {
  if (tenant === undefined) throw new Error('there is no tenant');
  const { namespace, redis: server } = tenant;
  const { ref } = await tenant.addPool({ name: 'rotated', minReplicas: 1, maxReplicas: 1 });
  const before = await onlyPod(ref, () => true);
  const redis = await server.connect();

  await secretWith(namespace, { OTHER: 'value', REDIS_URL: server.url.replace('redis://', 'redis://:new-password@') });
  await redis.config('SET', 'requirepass', 'new-password');
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  const after = await onlyPod(ref, (name) => name !== before);
  await untilPool(stage, ref, {
    what: 'the queue is read with the new password',
    holds: (pool) =>
      conditionOf(pool, 'QueueObserved')?.reason !== 'RedisAuthFailed' && conditionOf(pool, 'Ready')?.status === 'True',
  });
  expect(
    tenant.history
      .of(ref.name)
      .map(({ replicas }) => replicas)
      .at(-1),
  ).toBe(1);

  const marked = await deploymentOf(ref);
  await secretWith(namespace, { OTHER: 'another value' });
  await onOperator(stage, ['rollout', 'restart', 'deployment/agent-worker-pool']);
  await onOperator(stage, ['rollout', 'status', 'deployment/agent-worker-pool', '--timeout=120s']);
  // Its mark shows that the new leader has looked at the Deployment, and has read the Secret.
  const epochOf = ({ metadata }: Found) => metadata.annotations[EPOCH_ANNOTATION];
  await until(async () => epochOf(await deploymentOf(ref)) !== epochOf(marked), {
    what: 'a new leader has marked the Deployment',
    everyMs: 200,
  });
  // Kubernetes counts the mark, an annotation, as a new generation: what would restart workers is another template.
  expect((await deploymentOf(ref)).spec.template).toEqual(marked.spec.template);
  expect(await onlyPod(ref, () => true)).toBe(after);
});
