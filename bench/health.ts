import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { decide } from '../operator/core/decide.ts';
import { known, unknown } from '../operator/core/known.ts';
import { replicaOf, stateOf } from '../operator/core/state.fixture.ts';
import type { PoolState } from '../operator/core/state.ts';
import { HealthClient, type HealthTarget } from '../operator/observe/replicas/health-client.ts';
import { HealthWatch } from '../operator/observe/replicas/health-watch.ts';
import { sampleReport } from '../test/fixtures/health-report.ts';
import { defineBench } from './harness.ts';

/**
 * One pool of 200 replicas, each asked for its health every 10 s over a connection of its own, and a pass over the pool
 * every second besides. The replicas are HTTP servers in a thread of their own: what is measured is the thread that
 * asks, reads and decides. A replica that loses Redis says so at its next answer; a real one within 5 s more, which is
 * how old the answer of its own check may be.
 */
const REPLICAS = 200;
const PACE = { intervalMs: 10_000, timeoutMs: 2000 };
const WINDOW_MS = 30_000;
const CPU_RUNS = 3;
const DETECTIONS = 10;
const KEY = 'bench/health';

/** Answers at 127.0.1.1 and on; a message is the address of the replica that loses Redis, or gets it back. */
const FLEET = `
const { createServer } = require('node:http');
const { parentPort } = require('node:worker_threads');
const cut = new Set();
const start = new Date().toISOString();
parentPort.on('message', (address) => { if (!cut.delete(address)) cut.add(address); });
const server = createServer((request, response) => {
  const connected = !cut.has(request.socket.localAddress);
  response.writeHead(connected ? 200 : 503, { 'content-type': 'application/json' });
  const well = ${JSON.stringify(sampleReport)};
  const out = { status: 'degraded', redis: { connected: false, latencyMs: null, error: 'did not answer', kind: 'Outage' } };
  response.end(JSON.stringify({ ...well, processStartTime: start, lastFetchAt: start, ...(connected ? {} : out) }));
});
server.listen(0, '0.0.0.0', () => parentPort.postMessage(server.address().port));
`;

const addressOf = (index: number): string => `127.0.1.${index + 1}`;
const nameOf = (index: number): string => `pod-${index}`;

class Pool {
  readonly #watch: HealthWatch;
  readonly #targets: readonly HealthTarget[];
  readonly lateness: number[] = [];
  #state: PoolState = stateOf({ replicas: REPLICAS, queue: { active: 600, ready: 100 } });

  constructor(port: number) {
    this.#targets = Array.from({ length: REPLICAS }, (_, i) => ({
      namespace: 'bench',
      uid: `uid-${nameOf(i)}`,
      name: nameOf(i),
      ip: addressOf(i),
      port,
    }));
    const now = () => Date.now();
    this.#watch = new HealthWatch({
      client: new HealthClient(now),
      now,
      onNews: () => this.pass(),
      onLate: (ms) => this.lateness.push(ms),
    });
  }

  /** Reads what the replicas said, decides, and keeps what a pass keeps. True for a replica that is shown as unhealthy. */
  pass(): void {
    const now = Date.now();
    const said = this.#watch.follow(KEY, this.#targets, PACE);
    const replicas = this.#targets.map(({ uid, name }) =>
      replicaOf(name, { health: said.get(uid) ?? unknown('it was not asked') }),
    );
    const checks = { ...this.#state.checks, redis: known({ ok: true } as const, now) };
    const decision = decide({ ...this.#state, now, checks, replicas: known(replicas, now) });
    const pool = { ...this.#state.pool, status: decision.status };
    this.#state = { ...this.#state, pool, memory: decision.memory };
  }

  shows(name: string, redis: 'Healthy' | 'Unhealthy'): boolean {
    return this.#state.pool.status?.workers?.find(({ pod }) => pod === name)?.redis === redis;
  }

  close(): Promise<void> {
    return this.#watch.close();
  }
}

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;

export const bench = defineBench({
  name: 'health',
  figures: [
    { id: 'health.cpu_percent', unit: '% of a core' },
    { id: 'health.lateness_p99_ms', unit: 'ms' },
    { id: 'health.detect_ms', unit: 'ms' },
  ],
  run: async ({ record, say, signal }) => {
    const fleet = new Worker(FLEET, { eval: true });
    const [port] = (await once(fleet, 'message')) as [number];
    const pool = new Pool(port);
    const passes = setInterval(() => pool.pass(), 1000);
    try {
      say(`${REPLICAS} replicas, each asked every ${PACE.intervalMs / 1000} s`);
      pool.pass();
      await sleep(2 * PACE.intervalMs, undefined, { signal });
      for (let run = 0; run < CPU_RUNS; run += 1) {
        pool.lateness.length = 0;
        const before = process.threadCpuUsage();
        const began = performance.now();
        await sleep(WINDOW_MS, undefined, { signal });
        const { user, system } = process.threadCpuUsage(before);
        record('health.cpu_percent', (user + system) / 10 / (performance.now() - began));
        record('health.lateness_p99_ms', percentile(pool.lateness, 0.99));
      }
      say('one replica after the other loses Redis');
      for (let run = 0; run < DETECTIONS; run += 1) {
        const index = (run * 37) % REPLICAS;
        // Each at another moment of its interval.
        await sleep((run * 1700) % 5000, undefined, { signal });
        const began = performance.now();
        fleet.postMessage(addressOf(index), []);
        while (!pool.shows(nameOf(index), 'Unhealthy')) await sleep(5, undefined, { signal });
        record('health.detect_ms', performance.now() - began);
        fleet.postMessage(addressOf(index), []);
      }
    } finally {
      clearInterval(passes);
      await pool.close();
      await fleet.terminate();
    }
  },
});
