// What a cordon, its end and a hand-back take in a worker, on loopback: no Kubernetes, no operator.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { until } from '../test/cluster/until.ts';
import { heeding } from '../test/fixtures/long-jobs.ts';
import { startRedis } from '../test/fixtures/redis.ts';
import { POOL_TOKEN, startWorker } from '../test/fixtures/worker.ts';
import type { WorkerUnderTest } from '../test/fixtures/worker.ts';
import type { JobHandlers } from '../worker/dispatch.ts';
import { type BenchContext, BenchError, defineBench } from './harness.ts';

const RUNS = 30;
/** BullMQ waits 0.1 s after its blocked read was ended. A cordon that is undone has lasted longer than that. */
const CORDONED_MS = 250;

type Scene = Readonly<{
  queue: Queue;
  start: (pod: string, handlers: JobHandlers) => Promise<WorkerUnderTest>;
}>;

export const bench = defineBench({
  name: 'cordon',
  figures: [
    { id: 'cordon.answer_ms', unit: 'ms' },
    { id: 'cordon.uncordon_ms', unit: 'ms' },
    { id: 'cordon.hand_back_ms', unit: 'ms' },
  ],
  run: async (context) => {
    const dir = await mkdtemp(join(tmpdir(), 'awp-bench-'));
    const server = await startRedis();
    const tokenFile = join(dir, 'token');
    await writeFile(tokenFile, POOL_TOKEN);
    const queue = new Queue('jobs', { connection: { host: server.host, port: server.port } });
    const start = async (pod: string, handlers: JobHandlers) => {
      const timing = { abortMs: 2_000 };
      const options = { redisUrl: server.url, queue: 'jobs', handlers, pod, tokenFile, timing, drainTimeoutMs: 0 };
      const worker = await startWorker(options);
      await until(async () => (await worker.status('/ready')) === 200, { what: `${pod} is ready`, limitMs: 10_000 });
      return worker;
    };
    try {
      await measureCordon(context, { queue, start });
      await measureHandBack(context, { queue, start });
    } finally {
      await queue.close();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    }
  },
});

async function measureCordon({ record, signal }: BenchContext, { queue, start }: Scene): Promise<void> {
  let started = Promise.withResolvers<number>();
  const worker = await start('one', { job: async () => started.resolve(performance.now()) });
  const post = async (path: string, body?: object) => {
    const { status } = await worker.post(path, { body });
    if (status !== 200) throw new BenchError(`${path} was answered by ${status}`);
  };
  for (let run = 0; run < RUNS && !signal.aborted; run += 1) {
    const askedAt = performance.now();
    await post('/cordon', { seconds: 60 });
    record('cordon.answer_ms', performance.now() - askedAt);
    started = Promise.withResolvers();
    await queue.add('job', {});
    await sleep(CORDONED_MS);
    const undoneAt = performance.now();
    await post('/uncordon');
    record('cordon.uncordon_ms', (await started.promise) - undoneAt);
  }
  await worker.stop();
}

/** From the moment in which the drain limit is over to the start of the job elsewhere. */
async function measureHandBack({ record, signal }: BenchContext, { queue, start }: Scene): Promise<void> {
  for (let run = 0; run < RUNS && !signal.aborted; run += 1) {
    const leaving = await start('leaving', { job: heeding });
    await queue.add('job', {});
    await until(async () => (await queue.getActiveCount()) === 1, { what: 'the job runs', limitMs: 10_000 });
    const started = Promise.withResolvers<number>();
    const other = await start('other', { job: async () => started.resolve(performance.now()) });
    const stoppedAt = performance.now();
    const stopped = leaving.stop();
    record('cordon.hand_back_ms', (await started.promise) - stoppedAt);
    await stopped;
    await other.stop();
  }
}
