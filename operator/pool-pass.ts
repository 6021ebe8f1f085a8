import { type ApplyOutcome, applyDeployment } from './act/apply.ts';
import type { Companions } from './act/companions.ts';
import type { DrainedPod, Drainer } from './act/drain.ts';
import type { Reporter } from './act/report.ts';
import { deleteReplica } from './act/restart.ts';
import { StatusWriter } from './act/status-writer.ts';
import type { Pool } from './api/parse.ts';
import { decide } from './core/decide.ts';
import type { Decision } from './core/decision.ts';
import { withCounted } from './core/interruptions.ts';
import { statusOfInvalid } from './core/invalid.ts';
import type { Millis } from './core/known.ts';
import { firstMemory } from './core/memory.ts';
import type { ScaleMemory } from './core/scale-memory.ts';
import type { KubeClient } from './kube/client.ts';
import { keyOf, refOf } from './kube/resources.ts';
import { type PoolObject, poolType } from './observe/cluster.ts';
import { factsOf } from './observe/queue/depth.ts';
import { originOf } from './observe/replicas/witness.ts';
import { gather, type GatherParts, type Observation } from './observe/gather.ts';
import { armWaking, nextLookInMs } from './observe/until-next-pass.ts';

export type PassParts = Readonly<{
  gather: GatherParts;
  client: KubeClient;
  reporter: Reporter;
  drainer: Drainer;
  companions: Companions;
  now: () => Millis;
  /** Asks for a pass over a pool; `urgent` where its jobs may wait for it. */
  enqueue: (poolKey: string, priority?: 'urgent') => void;
  /** Other pools that an event has added wait for their turn: what can be said later is said later. */
  crowded: () => boolean;
}>;

/** What one leader keeps of a pool between passes; all of it can be lost. */
type Entry = {
  uid: string;
  memory: ScaleMemory;
  woken: boolean;
  readDeployment: boolean;
  status: StatusWriter;
  refusedIntent?: string;
};

type Unread = Extract<PoolObject['parsed'], { ok: false }>;
type Pass = Readonly<{ object: PoolObject; entry: Entry; pool: Pool; signal: AbortSignal }>;

/** What became of the actions of a decision. `conflict`: the world has moved on. */
type Acted =
  | Readonly<{ kind: 'done' | 'refused'; memory: ScaleMemory }>
  | Extract<ApplyOutcome, { kind: 'conflict' | 'failed' | 'unanswered' }>;
type Acting = Readonly<{ decision: Decision; observation: Observation; pool: Pool; signal: AbortSignal }>;
type Failed = Readonly<{ decision: Decision }> & Extract<ApplyOutcome, { kind: 'failed' }>;

const AGAIN_MS: Millis = 50;
const INVALID_AGAIN_MS: Millis = 30_000;

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
    this.#parts.enqueue(poolKey, 'urgent');
  }

  /** Resolves with the time after which to look again; undefined when the pool is gone. Rejects when a write failed. */
  async run(poolKey: string, signal: AbortSignal): Promise<Millis | undefined> {
    const stopTimer = this.#parts.reporter.time();
    try {
      const object = this.#parts.gather.pools.store.get(poolKey);
      if (object === undefined) return this.#forget(poolKey);
      const entry = this.#entryOf(poolKey, object);
      if (!object.parsed.ok) return await this.#refuse(object, entry, object.parsed);
      return await this.#pass({ object, entry, pool: object.parsed.pool, signal });
    } finally {
      stopTimer();
    }
  }

  #entryOf(poolKey: string, object: PoolObject): Entry {
    const before = this.#entries.get(poolKey);
    if (before?.uid === object.uid) return before;
    const memory = firstMemory(object.parsed.ok ? object.parsed.pool.status : undefined, this.#parts.now());
    const status = new StatusWriter(this.#parts);
    const entry: Entry = { uid: object.uid, memory, woken: false, readDeployment: false, status };
    this.#entries.set(poolKey, entry);
    return entry;
  }

  async #pass({ object, entry, pool, signal }: Pass): Promise<Millis> {
    const { reporter } = this.#parts;
    const { woken, memory, readDeployment } = entry;
    entry.woken = false;
    const observation = await gather(this.#parts.gather, pool, { memory, woken, readDeployment });
    const decision = decide(observation.state);
    reporter.interrupted(pool, decision.interruptions);
    entry.memory = withCounted(entry.memory, decision);
    reporter.observed(pool, queueToExport(pool, observation));
    reporter.decided(pool, decision);
    const acted = await this.#act({ decision, observation, pool, signal });
    if (acted.kind === 'failed') return this.#fail({ object, entry, pool, signal }, { decision, ...acted });
    if (acted.kind === 'unanswered') {
      entry.memory = withFence(entry.memory);
      throw acted.error;
    }
    // A conflict teaches nothing: read and decide again. A Deployment that no watch shows is one without our label.
    const isConflict = acted.kind === 'conflict';
    entry.readDeployment = isConflict || (readDeployment && decision.because.reason === 'NameTaken');
    if (isConflict) return AGAIN_MS;
    entry.memory = acted.memory;
    reporter.drained(pool, decision.drainOutcomes);
    reporter.events(pool, decision.events.noticed);
    armWaking(observation, decision, woken);
    if (acted.kind === 'refused') return AGAIN_MS;
    const dueInMs = await this.#say({ object, entry, pool, signal }, decision);
    return Math.min(nextLookInMs(observation, decision), dueInMs ?? Number.POSITIVE_INFINITY);
  }

  /** Resolves with the time after which the status is to be written, when that is not now. */
  async #say({ object, entry, pool }: Pass, { status, events }: Decision): Promise<Millis | undefined> {
    const statement = { before: pool.status, next: status, events: events.withStatus };
    const writing = await entry.status.write({ type: poolType, ...object }, statement);
    return writing.kind === 'kept' ? writing.dueInMs : undefined;
  }

  /** What was learned once every action is carried out, or refused for good. */
  async #act({ decision, observation, pool, signal }: Acting): Promise<Acted> {
    const { client, reporter, enqueue, now, drainer, companions } = this.#parts;
    let { memory } = decision;
    memory = { ...memory, drain: await companions.makeToken(decision, { pool, memory: memory.drain, signal }) };
    for (const action of decision.actions) {
      const outcome = await applyDeployment(client, action, signal);
      reporter.wrote('deployment', outcome.kind);
      if (outcome.kind === 'conflict' || outcome.kind === 'failed' || outcome.kind === 'unanswered') return outcome;
      const { refusal: _cleared, applyFailure: _over, ...rest } = memory;
      if (outcome.kind === 'applied') {
        memory = { ...rest, applied: outcome.applied };
        reporter.events(pool, decision.events.carriedOut);
      } else {
        const refusal = { generation: pool.generation, at: now(), because: outcome.because };
        memory = { ...rest, refusal, raisingTo: undefined, raises: observation.state.memory.raises };
        reporter.refused(pool, outcome.because);
        // The next pass says so in the status. Replicas are told nothing: the Deployment is not this decision's.
        enqueue(keyOf(pool));
        return { kind: 'refused', memory };
      }
    }
    memory = { ...memory, drain: await companions.makeBudget(decision, { pool, memory: memory.drain, signal }) };
    // Only after the Deployment is this leader's: nothing that an earlier write may still do is undone.
    const work = { pool, pods: drainedPods(observation), token: observation.token, memory: memory.drain, signal };
    const drain = await drainer.carryOut(decision.drainSteps, work);
    const { deletion } = decision;
    if (deletion === undefined) return { kind: 'done', memory: { ...memory, drain } };
    const deleted = await deleteReplica(client, pool, { deletion, signal });
    reporter.restarted(pool, deletion, deleted);
    // The replica has changed, and is looked at again.
    if (deleted.kind === 'conflict') enqueue(keyOf(pool));
    return { kind: 'done', memory: { ...memory, drain } };
  }

  /** Nothing was learned but the failure. The next pass says it, and the one after; the queue's backoff is the pace. */
  async #fail(pass: Pass, { decision, because, error }: Failed): Promise<never> {
    const { entry } = pass;
    const { applyFailure } = entry.memory;
    const since = applyFailure?.since ?? this.#parts.now();
    entry.memory = { ...withFence(entry.memory), applyFailure: { since, because } };
    if (applyFailure !== undefined) await this.#say(pass, decision);
    throw error;
  }

  async #refuse(object: PoolObject, entry: Entry, unread: Unread): Promise<Millis> {
    if (entry.refusedIntent === object.intentKey) return INVALID_AGAIN_MS;
    const { reporter, now } = this.#parts;
    const { status, event } = statusOfInvalid({ generation: object.generation, now: now(), ...unread });
    reporter.refused(object, event.note);
    const statement = { before: undefined, next: status, events: [event] };
    const { kind } = await entry.status.write({ type: poolType, ...object }, statement);
    if (kind === 'written') entry.refusedIntent = object.intentKey;
    return INVALID_AGAIN_MS;
  }

  /** Its workers are the garbage collector's, or go on when the pool was orphaned; only what is kept here ends. */
  #forget(poolKey: string): undefined {
    const { redis, prometheus, secrets, tokens, queues, urlMarks, health, checks } = this.#parts.gather;
    urlMarks.forget(this.#entries.get(poolKey)?.uid ?? '');
    redis.release(poolKey);
    prometheus.forget(poolKey);
    secrets.forget(poolKey);
    tokens.forget(poolKey);
    health.forget(poolKey);
    checks.forget(poolKey);
    for (const heir of queues.forget(poolKey)) this.#parts.enqueue(heir);
    this.#entries.delete(poolKey);
    this.#parts.reporter.forget(refOf(poolKey));
  }
}

/** A write without an answer may still arrive: the next one of this leader makes it meet a 409. */
const withFence = (memory: ScaleMemory): ScaleMemory => ({
  ...memory,
  drain: { ...memory.drain, fences: memory.drain.fences + 1 },
});

/** A pool with a replica, ready or not, has its queue exported by it. */
function queueToExport(pool: Pool, { state, depth }: Observation): Parameters<Reporter['observed']>[1] {
  const hasNone = state.replicas.ok && state.replicas.value.length === 0;
  if (!hasNone || depth === undefined || !state.queue.ok) return undefined;
  return { name: pool.spec.queue.name, facts: factsOf(depth, state.queue.at) };
}

/** In the versions that were looked at, so that a mark is written on no other. */
const drainedPods = ({ pods }: Observation): ReadonlyMap<string, DrainedPod> =>
  new Map(
    pods.map(({ namespace, name, uid, resourceVersion, templateHash, address, port }) => [
      uid,
      {
        namespace,
        name,
        uid,
        resourceVersion,
        templateHash,
        origin: address === undefined ? undefined : originOf({ uid, name, ip: address, port }),
      },
    ]),
  );
