import type { Pool } from '../../../operator/api/parse.ts';
import { FIELD_MANAGER } from '../../../operator/core/corrections.ts';
import type { Decision } from '../../../operator/core/decision.ts';
import { known, unknown } from '../../../operator/core/known.ts';
import { firstMemory } from '../../../operator/core/memory.ts';
import type { ScaleMemory } from '../../../operator/core/scale-memory.ts';
import type { DeploymentView, PoolState, ReplicaView } from '../../../operator/core/state.ts';
import type { SimulatedReplica } from '../simulated-replica.ts';
import type { Sight } from './rule.ts';

const UID = 'simulated';

/** The simulated pool as the operator would see it: everything is known, and what was applied is seen at once. */
export class SeenPool {
  #pool: Pool;
  #memory: ScaleMemory | undefined;
  #generation = 0;
  #metadata: Pick<DeploymentView, 'labels' | 'annotations'> = { labels: {}, annotations: {} };

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  state({ now, waiting, active, oldestWaitMs, replicas }: Sight): PoolState {
    return {
      now,
      pool: this.#pool,
      deployment: known(this.#generation === 0 ? null : this.#deployment(replicas), now),
      replicas: known(
        replicas.map((replica) => this.#replica(replica, now)),
        now,
      ),
      queue: known(
        {
          ready: waiting,
          active,
          delayed: 0,
          failed: 0,
          paused: false,
          ...(oldestWaitMs === undefined ? {} : { oldestWaitMs }),
          exists: true,
          source: 'Redis',
        },
        now,
      ),
      redis: { ok: true },
      // Nothing fails in a simulation, so nothing is asked for its health.
      replicaSets: known([], now),
      checks: { redis: known({ ok: true }, now), supabase: known({ ok: true }, now) },
      random: 0,
      epoch: UID,
      rivals: [],
      autoscalers: [],
      memory: this.#memory ?? firstMemory(undefined, now),
    };
  }

  /** Takes over what a decision says; answers with the `replicas` that it writes, if it writes. */
  apply({ actions, memory, status }: Decision): number | undefined {
    this.#pool = { ...this.#pool, status };
    this.#memory = memory;
    const [action] = actions;
    if (action === undefined) return undefined;
    const { metadata, spec } = action.manifest;
    const { replicas } = spec;
    this.#metadata = { labels: metadata.labels, annotations: metadata.annotations };
    this.#written({ replicas, templateKey: action.templateKey });
    return replicas;
  }

  /** Takes over the lower number that a drain has written. */
  lower(replicas: number): void {
    const templateKey = this.#memory?.applied?.templateKey;
    if (templateKey !== undefined) this.#written({ replicas, templateKey });
  }

  #written(written: Readonly<{ replicas: number; templateKey: string }>): void {
    this.#generation += 1;
    if (this.#memory === undefined) return;
    this.#memory = { ...this.#memory, applied: { uid: UID, generation: this.#generation, ...written } };
  }

  #deployment(replicas: readonly SimulatedReplica[]): DeploymentView {
    const { length } = replicas;
    const ready = replicas.filter(({ isReady }) => isReady).length;
    return {
      uid: UID,
      resourceVersion: String(this.#generation),
      generation: this.#generation,
      observedGeneration: this.#generation,
      replicas: length,
      replicasManager: FIELD_MANAGER,
      ownerUid: this.#pool.uid,
      terminating: false,
      ...this.#metadata,
      status: { replicas: length, updated: length, ready, available: ready },
    };
  }

  #replica(replica: SimulatedReplica, now: number): ReplicaView {
    return {
      name: replica.name,
      uid: replica.name,
      phase: replica.isStarting ? 'Pending' : 'Running',
      ready: replica.isReady,
      terminating: false,
      createdAt: replica.createdAt,
      ...(replica.isStarting ? {} : { readyAt: replica.readyAt }),
      labels: {},
      templateHash: 'simulated',
      resourceVersion: '1',
      scheduledAt: replica.createdAt,
      disrupted: false,
      worker: { state: replica.isStarting ? 'Waiting' : 'Running', restarts: 0 },
      health: unknown('it is simulated'),
      report: known(
        {
          active: replica.jobs.size,
          slots: this.#pool.spec.workers.concurrency,
          processStart: replica.createdAt / 1000,
          durationSum: replica.finishedMs / 1000,
          durationCount: replica.finished,
          runningSeconds: [...replica.jobs.values()].reduce((sum, startedAt) => sum + now - startedAt, 0) / 1000,
        },
        now,
      ),
    };
  }
}
