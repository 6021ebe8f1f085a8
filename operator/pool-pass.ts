import { applyDeployment } from './act/apply.ts';
import { type StatusTarget, writeStatus } from './act/status.ts';
import type { PoolStatus } from './api/pool.ts';
import type { Pool } from './api/parse.ts';
import { decide } from './core/decide.ts';
import type { Action, Decision, PoolEvent } from './core/decision.ts';
import { statusOfInvalid } from './core/invalid.ts';
import type { Millis } from './core/known.ts';
import { firstMemory } from './core/memory.ts';
import type { ScaleMemory } from './core/state.ts';
import { worthWriting } from './core/status.ts';
import type { KubeClient } from './kube/client.ts';
import type { Logger } from './kube/log.ts';
import { keyOf } from './kube/resources.ts';
import { type PoolObject, poolType } from './observe/cluster.ts';
import { gather, type GatherParts, type Observation } from './observe/gather.ts';
import type { PoolMetrics } from './telemetry/metrics.ts';

export type PassParts = Readonly<{
  gather: GatherParts;
  client: KubeClient;
  log: Logger;
  metrics: PoolMetrics;
  now: () => Millis;
  /** Writes an event about the pool; never throws. */
  record: (pool: Readonly<{ namespace: string; name: string; uid: string }>, event: PoolEvent) => void;
  /** Asks for a pass over another pool. */
  enqueue: (poolKey: string) => void;
}>;

/** What one leader keeps of a pool between passes; all of it can be lost. */
type Entry = {
  uid: string;
  memory: ScaleMemory;
  woken: boolean;
  readDeployment: boolean;
  saidReason?: string;
  saidWanted?: number;
  refusedIntent?: string;
};

const AGAIN_MS: Millis = 50;

/** One pass over one pool: observe, decide, act. Level-based: it starts from what is, and running it twice changes nothing. */
export class PoolPass {
  readonly #parts: PassParts;
  readonly #entries = new Map<string, Entry>();

  constructor(parts: PassParts) {
    this.#parts = parts;
  }

  /** Something happened on the queue: the next pass reads Redis itself, the workers' gauges can be older. */
  wake(poolKey: string): void {
    const entry = this.#entries.get(poolKey);
    if (entry !== undefined) entry.woken = true;
    this.#parts.enqueue(poolKey);
  }

  /** Resolves with the time after which to look again; undefined when the pool is gone. Rejects when a write failed. */
  async run(poolKey: string, signal: AbortSignal): Promise<Millis | undefined> {
    const stopTimer = this.#parts.metrics.passSeconds.startTimer();
    try {
      const object = this.#parts.gather.pools.store.get(poolKey);
      if (object === undefined) return this.#forget(poolKey);
      const entry = this.#entryOf(poolKey, object);
      if (!object.parsed.ok) return await this.#refuse(object, entry, object.parsed.problems);
      return await this.#pass({ object, entry, pool: object.parsed.pool, signal });
    } finally {
      stopTimer();
    }
  }

  #entryOf(poolKey: string, object: PoolObject): Entry {
    const before = this.#entries.get(poolKey);
    if (before?.uid === object.uid) return before;
    const now = this.#parts.now();
    const memory = object.parsed.ok
      ? firstMemory(object.parsed.pool, now)
      : { watchingSince: now, wanted: [], counters: {}, corrections: [] };
    const entry: Entry = { uid: object.uid, memory, woken: false, readDeployment: false };
    this.#entries.set(poolKey, entry);
    return entry;
  }

  async #pass({ object, entry, pool, signal }: Pass): Promise<Millis> {
    const { woken } = entry;
    entry.woken = false;
    const observation = await gather(this.#parts.gather, pool, {
      memory: entry.memory,
      woken,
      readDeployment: entry.readDeployment,
    });
    const decision = decide(observation.state);
    entry.memory = decision.memory;
    this.#report(pool, entry, decision);
    const settled = await this.#act(decision.actions, { pool, entry, signal });
    armWaking(observation, decision, woken);
    if (decision.because.reason !== 'NameTaken') entry.readDeployment = !settled;
    await this.#writeStatus({ type: poolType, ...object }, { entry, before: pool.status, next: decision.status });
    for (const event of decision.events) this.#parts.record(pool, event);
    return settled ? decision.recheckAfterMs : AGAIN_MS;
  }

  /** True when every action was carried out, or refused for good; false when the world has moved on: decide again. */
  async #act(
    actions: readonly Action[],
    { pool, entry, signal }: Pick<Pass, 'pool' | 'entry' | 'signal'>,
  ): Promise<boolean> {
    for (const action of actions) {
      const outcome = await applyDeployment(this.#parts.client, action, signal);
      this.#parts.metrics.writes.inc({ object: 'deployment', outcome: outcome.kind });
      switch (outcome.kind) {
        case 'applied': {
          const { refusal: _cleared, ...memory } = entry.memory;
          entry.memory = { ...memory, applied: outcome.applied };
          break;
        }
        case 'refused':
          entry.memory = { ...entry.memory, refusal: { generation: pool.generation, because: outcome.because } };
          this.#parts.log.warn(
            { pool: keyOf(pool), because: outcome.because },
            'the API server refuses the Deployment',
          );
          // The next pass says so in the status.
          this.#parts.enqueue(keyOf(pool));
          break;
        case 'conflict':
          return false;
      }
    }
    return true;
  }

  async #writeStatus(
    target: StatusTarget,
    status: Readonly<{ entry: Entry; before: PoolStatus | undefined; next: PoolStatus }>,
  ): Promise<void> {
    const { entry, before, next } = status;
    const now = this.#parts.now();
    const { statusWrittenAt } = entry.memory;
    if (!worthWriting(before, next, { now, ...(statusWrittenAt === undefined ? {} : { writtenAt: statusWrittenAt }) }))
      return;
    const outcome = await writeStatus(this.#parts.client, target, next);
    this.#parts.metrics.writes.inc({ object: 'status', outcome });
    if (outcome === 'conflict') return this.#parts.enqueue(keyOf(target));
    entry.memory = { ...entry.memory, statusWrittenAt: now };
  }

  /** The one `because`, in the log when the reason or the number changed, and in the metrics always. */
  #report(pool: Pool, entry: Entry, { because, wanted, status, actions }: Decision): void {
    const { metrics, log } = this.#parts;
    const { namespace, name } = pool;
    metrics.decisions.inc({ reason: because.reason });
    for (const kind of ['current', 'ready', 'wanted'] as const) {
      metrics.replicas.set({ namespace, pool: name, kind }, status.replicas?.[kind] ?? 0);
    }
    const changed = entry.saidReason !== because.reason || entry.saidWanted !== wanted;
    entry.saidReason = because.reason;
    entry.saidWanted = wanted;
    if (!changed && actions.length === 0) return;
    const replicas = actions[0]?.manifest.spec.replicas;
    log.info(
      {
        pool: keyOf(pool),
        reason: because.reason,
        because: because.message,
        wanted,
        ...(replicas === undefined ? {} : { replicas }),
      },
      'decided',
    );
  }

  async #refuse(object: PoolObject, entry: Entry, problems: readonly string[]): Promise<Millis> {
    if (entry.refusedIntent !== object.intentKey) {
      const { status, because } = statusOfInvalid({ generation: object.generation, problems, now: this.#parts.now() });
      this.#parts.log.warn({ pool: keyOf(object), because: because.message }, 'the pool cannot be used');
      await this.#writeStatus({ type: poolType, ...object }, { entry, before: undefined, next: status });
      this.#parts.record(object, {
        type: 'Warning',
        reason: because.reason,
        action: 'Reconcile',
        note: because.message,
      });
      entry.refusedIntent = object.intentKey;
    }
    return 30_000;
  }

  /** Its workers are the garbage collector's, or go on when the pool was orphaned; only what is kept here ends. */
  #forget(poolKey: string): undefined {
    const { redis, secrets, queues } = this.#parts.gather;
    redis.release(poolKey);
    secrets.forget(poolKey);
    for (const heir of queues.leave(poolKey)) this.#parts.enqueue(heir);
    this.#entries.delete(poolKey);
    const [namespace = '', name = ''] = poolKey.split('/');
    this.#parts.metrics.forget({ namespace, name });
    return undefined;
  }
}

type Pass = Readonly<{ object: PoolObject; entry: Entry; pool: Pool; signal: AbortSignal }>;

/** Blocks on the queue's stream from the tip of this very reading, so that nothing between the two is missed. */
function armWaking({ state, redis, tip }: Observation, decision: Decision, woken: boolean): void {
  if (redis === undefined) return;
  if (decision.wake === 'none' || tip === undefined) return redis.unwatch();
  const changedNothing = decision.actions.length === 0 && state.queue.ok && state.queue.value.ready > 0;
  if (woken && changedNothing) redis.rest();
  redis.watch(state.pool.spec.queue, tip, decision.wake);
}
