import type { WorkerConfig } from './config.ts';
import { Cordon } from './cordon.ts';
import { createProcessor } from './dispatch.ts';
import type { JobHandlers } from './dispatch.ts';
import { Dependencies } from './dependencies/dependencies.ts';
import type { Dependency } from './dependencies/dependencies.ts';
import { DatabaseCheck } from './dependencies/database.ts';
import { checkProject } from './dependencies/project.ts';
import { reportHealth } from './health.ts';
import { createCordonRoutes } from './http/cordon-routes.ts';
import { createRoutes } from './http/routes.ts';
import { serve } from './http/server.ts';
import type { Routes } from './http/server.ts';
import { Lifecycle } from './lifecycle.ts';
import type { WorkerExit } from './lifecycle.ts';
import { createErrorReport, createLog } from './log.ts';
import type { Log } from './log.ts';
import { createMetrics } from './metrics.ts';
import { FetchGate } from './queue/fetch-gate.ts';
import { watchOutcomes } from './queue/outcomes.ts';
import { QueueReader } from './queue/queue-reader.ts';
import { QueueWorker } from './queue/queue-worker.ts';
import { prepareQueueRead } from './queue/read-queue.ts';
import { RedisLink } from './redis-link.ts';
import { createTestimony } from './testimony.ts';
import { DEFAULT_TIMING } from './timing.ts';
import type { WorkerTiming } from './timing.ts';
import { TokenFile } from './token-file.ts';

export type WorkerOptions = Readonly<{
  handlers: JobHandlers;
  config: WorkerConfig;
  /** JSON lines on stdout if left out. */
  log?: Log;
  /** Aborts when the worker shall stop, such as on SIGTERM. */
  stop?: AbortSignal;
  timing?: Partial<WorkerTiming>;
}>;

export type RunningWorker = Readonly<{
  /** Port that the endpoints listen on. */
  port: number;
  /** Resolves once everything is closed. Never rejects. */
  ended: Promise<WorkerExit>;
  /** Takes no new job, finishes those that run or hands them back, closes; the same as aborting `stop`. */
  stop: () => Promise<WorkerExit>;
}>;

const REPEAT_ERROR_MS = 10_000;

/**
 * Works a BullMQ queue with the given handlers and serves the endpoints that the operator, Kubernetes and Prometheus
 * ask. Returns as soon as the endpoints answer; the worker becomes ready when Redis is reached, however long that takes.
 *
 * @throws when the port cannot be listened on.
 */
export const runWorker = async (options: WorkerOptions): Promise<RunningWorker> => {
  const { config } = options;
  const parts = assemble(options);
  const { lifecycle, worker, link, dependencies, reportError, log } = parts;
  const server = await serve(createEndpoints(parts, config), {
    port: config.port,
    onError: (error) => reportError('a request failed', error),
  }).catch((error: unknown) => {
    link.close();
    void worker.abandon();
    throw error;
  });
  log.info({ port: server.port, concurrency: config.concurrency, redis: describeRedis(config.redisUrl) }, 'started');

  const stop = () => lifecycle.stop({ ok: true });
  if (options.stop?.aborted) void stop();
  options.stop?.addEventListener('abort', () => void stop(), { once: true });
  // Before the first fetch: a required dependency that is out must not cost the first jobs an attempt.
  dependencies.start();
  const ended = lifecycle.run().finally(() => {
    dependencies.stop();
    return server.close();
  });
  return {
    port: server.port,
    ended,
    stop: async () => {
      await stop();
      return ended;
    },
  };
};

const assemble = ({ handlers, config, log = logFor(config), timing: shortened }: WorkerOptions) => {
  const timing: WorkerTiming = { ...DEFAULT_TIMING, ...shortened };
  const reportError = createErrorReport(log, { everyMs: REPEAT_ERROR_MS, now: Date.now });
  // First of all: the connection is made while the rest is set up.
  const link = new RedisLink(config.redisUrl, log);
  const processor = createProcessor(handlers, { pod: config.podName, log });
  const worker = new QueueWorker({ config, timing, client: link.client, processor });
  const reader = new QueueReader({
    read: prepareQueueRead(link.client, config.queue),
    connected: () => link.connected,
    timing,
    onFailure: (error) => reportError('the queue could not be read', error),
  });
  const metrics = createMetrics({
    queue: config.queue.name,
    handlerNames: Object.keys(handlers),
    concurrency: config.concurrency,
    activeJobs: () => worker.jobs.count,
    supabaseConnected: () => dependencies.report('Supabase')?.connected ?? undefined,
    runningSeconds: () => worker.jobs.runningSeconds(),
    observe: async () => {
      const snapshot = await reader.current();
      return { snapshot, redisConnected: link.connected && !reader.lastReadFailed && worker.fetchFault === undefined };
    },
  });
  const progress = watchOutcomes(worker, { metrics, log, reportError });
  const gate = new FetchGate(worker, reportError);
  const { jobs } = worker;
  const cordon = new Cordon({ gate, jobs, log, timing });
  const { podName: pod, concurrency: slots, drainTimeoutMs } = config;
  const testimony = createTestimony({ pod, slots, cordon, gate, jobs, progress });
  const dependencies = new Dependencies(dependenciesOf(config), { gate, log, timing });
  const lifecycle = new Lifecycle({ worker, gate, cordon, link, log, reportError, drainTimeoutMs, timing });
  return { link, worker, reader, metrics, cordon, testimony, dependencies, lifecycle, reportError, log, timing };
};

const dependenciesOf = ({ supabase }: WorkerConfig): Dependency[] => {
  if (supabase === undefined) return [];
  const { mode, databaseUrl } = supabase;
  const database = databaseUrl === undefined ? undefined : new DatabaseCheck(databaseUrl);
  const check = (limitMs: number) => checkProject(supabase, database, limitMs);
  return [{ title: 'Supabase', mode, check, close: () => database?.close() }];
};

const createEndpoints = (parts: ReturnType<typeof assemble>, config: WorkerConfig): Routes => {
  const { link, worker, reader, metrics, cordon, testimony, dependencies, lifecycle, reportError, timing } = parts;
  const health = async () => {
    const [ping, snapshot] = await Promise.all([link.check(timing.pingMs), reader.current()]);
    return reportHealth({
      testimony: testimony(),
      queue: config.queue.name,
      ping,
      fetchFault: worker.fetchFault,
      supabase: dependencies.report('Supabase'),
      failedJobs: snapshot?.counts.failed,
      now: Date.now(),
    });
  };
  const routes = createRoutes({ readiness: () => lifecycle.readiness, health, metrics });
  if (config.tokenFile === undefined) return routes;
  const tokens = new TokenFile(config.tokenFile);
  // The tokens of now are known from now on, also if the file changes before anybody uses one.
  void tokens.check(undefined);
  const onRefused = (because: string) => reportError('a cordon was refused', because);
  return { ...routes, ...createCordonRoutes({ tokens, cordon, testimony, onRefused }) };
};

const logFor = ({ logLevel, podName, queue }: WorkerConfig): Log =>
  createLog({ level: logLevel, fields: { pod: podName, queue: queue.name } });

/** Where Redis is, without user and password. */
const describeRedis = (redisUrl: string): string => {
  const { protocol, host, pathname } = new URL(redisUrl);
  return `${protocol}//${host}${pathname}`;
};
