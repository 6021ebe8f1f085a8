import { Queue } from 'bullmq';
import { afterEach, expect, it, vi } from 'vitest';
import { startTlsRedis } from '../fixtures/redis-tls.ts';
import { startWorkerProcess } from '../fixtures/worker.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const eventually = (assertion: () => unknown) => vi.waitFor(assertion, { timeout: 20_000, interval: 20 });

it('works a Redis with TLS whose certificate is of a private authority, once it was told that authority', async () => {
  const { server, tlsPort, certificateFile, stop } = await startTlsRedis();
  cleanups.push(stop);
  const queue = new Queue('jobs', { connection: { host: server.host, port: server.port } });
  cleanups.push(() => queue.close());
  await queue.add('test-job', { durationMs: 0 });
  const start = async (env: Record<string, string>) => {
    const url = `rediss://localhost:${tlsPort}`;
    const worker = await startWorkerProcess({ REDIS_URL: url, JOB_QUEUE_NAME: 'jobs', ...env });
    cleanups.push(async () => {
      worker.signal('SIGKILL');
      await worker.exit;
    });
    return worker;
  };
  const distrustful = await start({});
  await eventually(async () =>
    expect(await distrustful.json('/health')).toMatchObject({
      redis: { connected: false, error: expect.stringContaining('self-signed') },
    }),
  );
  expect(await queue.getWaitingCount()).toBe(1);
  await start({ NODE_EXTRA_CA_CERTS: certificateFile });
  await eventually(async () => expect(await queue.getCompletedCount()).toBe(1));
});
