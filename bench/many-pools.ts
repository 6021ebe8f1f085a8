import { Queue } from 'bullmq';
import type { AgentWorkerPool } from '../operator/api/pool.ts';
import { poolType } from '../operator/observe/cluster.ts';
import { until } from '../test/cluster/until.ts';
import { conditionOf, poolManifest } from '../test/fixtures/stage/pool.ts';
import type { Stage } from '../test/fixtures/stage/stage.ts';
import type { Tenant } from '../test/fixtures/stage/tenant.ts';

/** No node has this label: only the number of replicas is of interest, and one node could not start them all. */
export const NOWHERE = { nodeSelector: { 'example.com/nowhere': 'true' } };

/** Requests to the API server that are under way at once. */
const PARALLEL = 25;

/** Makes pools at zero, and waits until all are Ready. */
export async function addSleepers(stage: Stage, { namespace }: Tenant, names: readonly string[]): Promise<void> {
  const waiting = [...names];
  const image = stage.images.worker;
  const one = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const manifest = poolManifest({ namespace, name, image, podSpec: NOWHERE });
      await stage.client.create(poolType, manifest as Parameters<typeof stage.client.create>[1]);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, one));
  await until(
    async () => {
      const { items } = await stage.client.list<AgentWorkerPool>(poolType, { namespace });
      return items.filter((pool) => conditionOf(pool, 'Ready')?.status === 'True').length >= names.length;
    },
    { what: `${names.length} pools are Ready`, limitMs: 600_000, everyMs: 2_000 },
  );
}

/** One producer for each of many queues, over one connection. */
export async function openProducers(tenant: Tenant, names: readonly string[]) {
  const connection = await tenant.redis.connect();
  const queues = names.map((name) => new Queue(name, { connection, skipMetasUpdate: true }));
  for (const queue of queues) queue.on('error', () => undefined);
  return {
    /** Adds one job to each queue. */
    addToAll: async () => {
      await Promise.all(queues.map((queue) => queue.add('test-job', { durationMs: 100 })));
    },
    /** Takes away all jobs that wait. */
    emptyAll: async () => {
      const pipeline = connection.pipeline();
      for (const name of names) pipeline.del(`bull:${name}:wait`);
      await pipeline.exec();
    },
    close: async () => {
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
}
