import type { Redis } from 'ioredis';
import { type JobSource, jobSource } from '../fixtures/stage/jobs.ts';
import { conditionOf, poolManifest, tenantManifests, untilPool } from '../fixtures/stage/pool.ts';
import { startRedisInCluster } from '../fixtures/stage/redis.ts';
import type { Stage } from '../fixtures/stage/stage.ts';

export const POOL = { namespace: 'demo', name: 'agent-jobs' };

export type Scene = Readonly<{ jobs: JobSource; close: () => Promise<void> }>;

/** Redis, a Secret with its URL, and the pool, by `kubectl apply`. `fresh`: an earlier demo was kept, so its jobs go. */
export async function setScene(stage: Stage, { fresh }: Readonly<{ fresh: boolean }>): Promise<Scene> {
  const redis = await startRedisInCluster(stage, { namespace: POOL.namespace });
  await stage.kubectl.apply(tenantManifests(POOL.namespace, redis.url));
  await stage.kubectl.apply([
    poolManifest({
      ...POOL,
      image: stage.images.worker,
      concurrency: 10,
      maxReplicas: 8,
      targetWait: '5s',
      window: '10s',
    }),
  ]);
  await untilPool(stage, POOL, {
    what: 'the pool is Ready',
    limitMs: 60_000,
    holds: (pool) => conditionOf(pool, 'Ready')?.status === 'True',
  });
  const connection: Redis = await redis.connect();
  const jobs = jobSource(connection, POOL.name);
  if (fresh) await jobs.queue.obliterate({ force: true });
  return {
    jobs,
    close: async () => {
      await jobs.close();
      await redis.stop();
    },
  };
}

/** Takes away what the demo put into a cluster that is not its own. */
export async function clearScene(stage: Stage): Promise<void> {
  await stage.kubectl.run(['delete', 'awp', '--all', '-n', POOL.namespace, '--ignore-not-found', '--timeout=60s']);
  await stage.kubectl.run([
    'delete',
    'namespace',
    POOL.namespace,
    'agent-worker-pool',
    '--ignore-not-found',
    '--timeout=120s',
  ]);
  for (const kind of ['clusterrole', 'clusterrolebinding']) {
    await stage.kubectl.run(['delete', kind, '-l', 'app.kubernetes.io/name=agent-worker-pool', '--ignore-not-found']);
  }
  await stage.kubectl.run(['delete', 'crd', 'agentworkerpools.agentpool.dev', '--ignore-not-found', '--timeout=60s']);
}
