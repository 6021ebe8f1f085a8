// What an operator meets in a big cluster: thousands of large pods, a thousand pools with nothing to do.
import { Redis } from 'ioredis';
import type { Api, KubeObject } from '../../test/contract/api-server.ts';
import { poolManifest, tenantManifests } from '../../test/fixtures/stage/pool.ts';

const AT_ONCE = 16;

/** Runs `work` over all of them, some at once. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** As an agent's pod with its environment, volumes and the annotations of a mesh has them. */
const POD_BYTES = 8_000;
const LARGE_PODS_NAMESPACE = 'bench-pods';

const podsNamespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: LARGE_PODS_NAMESPACE } };

const largePod = (i: number): KubeObject => {
  const metadata = {
    namespace: LARGE_PODS_NAMESPACE,
    name: `large-${i}`,
    labels: { 'agentpool.dev/pool': `pool-${i % 50}` },
    annotations: { 'bench.test/filler': 'x'.repeat(POD_BYTES - 1_700) },
  };
  const spec = { schedulerName: 'nobody', containers: [{ name: 'worker', image: 'example.test/worker:1' }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec };
};

/** Pods of no pool that exists, and of no scheduler, each of about 8 KB as the API server sends it. */
export async function addLargePods(api: Api, count: number): Promise<void> {
  await api.apply(podsNamespace);
  await each(upTo(count), (i) => api.create(largePod(i)));
}

export async function removeLargePods(api: Api, count: number): Promise<void> {
  await each(upTo(count), (i) => api.remove(largePod(i)));
  await api.remove(podsNamespace);
}

const NAMESPACES = 10;

/** Pools at zero whose queues exist and are empty. */
export async function addIdlePools(api: Api, options: Readonly<{ count: number; redisUrl: string }>): Promise<void> {
  const redis = new Redis(options.redisUrl);
  const keys = redis.pipeline();
  for (const i of upTo(options.count)) keys.hset(`bull:pool-${i}:meta`, 'opts.maxLenEvents', '10000');
  await keys.exec();
  await redis.quit();
  for (const i of upTo(NAMESPACES)) {
    const manifests = tenantManifests(`bench-${i}`, options.redisUrl) as readonly KubeObject[];
    for (const manifest of manifests) await api.apply(manifest);
  }
  await each(upTo(options.count), (i) => {
    const pool = { namespace: namespaceOf(i), name: `pool-${i}`, image: 'example.test/worker:1' };
    return api.apply(poolManifest(pool) as KubeObject);
  });
}

const namespaceOf = (i: number): string => `bench-${i % NAMESPACES}`;

/** Takes from the status of those pools what the next leader would know by it of their Deployments. */
export async function forgetApplied(api: Api, count: number): Promise<void> {
  await each(upTo(count), (i) =>
    api.request({
      method: 'PATCH',
      path: `/apis/agentpool.dev/v1alpha1/namespaces/${namespaceOf(i)}/agentworkerpools/pool-${i}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { deployment: null } },
    }),
  );
}
