import type { Pool } from '../api/parse.ts';
import { EVICTION_ANNOTATIONS } from '../api/names.ts';
import { afterCordon } from '../core/drain/memory.ts';
import type { DrainStep } from '../core/drain/steps.ts';
import type { DrainMemory } from '../core/drain/view.ts';
import type { KubeClient } from '../kube/client.ts';
import { messageOf, type Logger } from '../kube/log.ts';
import { keyOf } from '../kube/resources.ts';
import type { Cordoner } from './cordon.ts';
import { markReplica } from './mark.ts';

/** A replica as it was looked at. */
export type DrainedPod = Readonly<{
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  /** Where it listens; undefined where it cannot be called. */
  origin: string | undefined;
}>;

export type DrainWork = Readonly<{
  pool: Pool;
  pods: ReadonlyMap<string, DrainedPod>;
  token: string | undefined;
  memory: DrainMemory;
  signal: AbortSignal;
}>;

/** Tells replicas what was decided, all at once; one that does not listen keeps no other from hearing. */
export class Drainer {
  readonly #client: KubeClient;
  readonly #cordoner: Cordoner;
  readonly #log: Logger;

  constructor({ client, cordoner, log }: Readonly<{ client: KubeClient; cordoner: Cordoner; log: Logger }>) {
    this.#client = client;
    this.#cordoner = cordoner;
    this.#log = log;
  }

  /** What is known of the replicas then. A cordon and a mark of one replica are of different passes, so order is nothing. */
  async carryOut(steps: readonly DrainStep[], work: DrainWork): Promise<DrainMemory> {
    const learned = await Promise.all(steps.map((step) => this.#carryOut(step, work)));
    return learned.reduce((memory, learn) => learn(memory), work.memory);
  }

  async #carryOut(step: DrainStep, work: DrainWork): Promise<(memory: DrainMemory) => DrainMemory> {
    const pod = work.pods.get(step.uid);
    if (pod === undefined) return (memory) => memory;
    if (step.kind === 'mark' || step.kind === 'unmark') {
      await this.#mark(step, { pod, work });
      return (memory) => memory;
    }
    const seconds = step.kind === 'cordon' ? step.seconds : 0;
    const outcome = await this.#cordoner.tell({ origin: pod.origin, token: work.token ?? '', seconds });
    if (outcome.kind !== 'cordoned') {
      const fields = { pool: keyOf(work.pool), replica: step.name, because: outcome.because };
      this.#log.warn(fields, `the replica could not be told: ${step.kind}`);
    }
    const { generation } = work.pool;
    return (memory) => (step.kind === 'cordon' ? afterCordon(memory, { uid: step.uid, generation }, outcome) : memory);
  }

  /** A failure is one of the API server; the next pass tries again. */
  async #mark(
    step: Extract<DrainStep, { kind: 'mark' | 'unmark' }>,
    { pod, work }: Readonly<{ pod: DrainedPod; work: DrainWork }>,
  ): Promise<void> {
    const { origin: _origin, ...target } = pod;
    const mark = step.kind === 'mark' ? step.mark : undefined;
    const evictions = { ...EVICTION_ANNOTATIONS, ...ownEvictions(work.pool) };
    try {
      await markReplica(this.#client, target, { mark, evictions, signal: work.signal });
    } catch (error) {
      const fields = { pool: keyOf(work.pool), replica: step.name, because: messageOf(error) };
      this.#log.warn(fields, `the replica could not be written: ${step.kind}`);
    }
  }
}

/** What the template says of evictions comes back as the template says it. */
function ownEvictions({ spec }: Pool): Readonly<Record<string, string>> {
  const { annotations = {} } = spec.workers.template.metadata ?? {};
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => name in EVICTION_ANNOTATIONS));
}
