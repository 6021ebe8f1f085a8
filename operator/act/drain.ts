import type { Pool } from '../api/parse.ts';
import { EVICTION_ANNOTATIONS } from '../api/names.ts';
import { afterCordon } from '../core/drain/memory.ts';
import { afterFailure, afterSuccess, failureOf } from '../core/drain/step-outcome.ts';
import type { DrainStep } from '../core/drain/steps.ts';
import type { DrainMemory } from '../core/drain/view.ts';
import type { Millis } from '../core/known.ts';
import type { KubeClient } from '../kube/client.ts';
import { messageOf, type Logger } from '../kube/log.ts';
import { keyOf } from '../kube/resources.ts';
import type { Cordoner } from './cordon.ts';
import { labelReplica, markReplica } from './mark.ts';

/** A replica as it was looked at. */
export type DrainedPod = Readonly<{
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  templateHash: string;
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

export type DrainerOptions = Readonly<{
  client: KubeClient;
  cordoner: Cordoner;
  log: Logger;
  now: () => Millis;
  /** A replica does not know the token that this operator has read. */
  onStaleToken: (poolKey: string) => void;
}>;

type Learn = (memory: DrainMemory) => DrainMemory;

/** Tells replicas what was decided, all at once; one that does not listen keeps no other from hearing. */
export class Drainer {
  readonly #options: DrainerOptions;

  constructor(options: DrainerOptions) {
    this.#options = options;
  }

  /** What is known of the replicas then. A cordon and a mark of one replica are of different passes, so order is nothing. */
  async carryOut(steps: readonly DrainStep[], work: DrainWork): Promise<DrainMemory> {
    const learned = await Promise.all(steps.map((step) => this.#carryOut(step, work)));
    return learned.reduce((memory, learn) => learn(memory), work.memory);
  }

  async #carryOut(step: DrainStep, work: DrainWork): Promise<Learn> {
    const pod = work.pods.get(step.uid);
    if (pod === undefined) return (memory) => memory;
    if (step.kind !== 'cordon' && step.kind !== 'uncordon') return this.#write(step, { pod, work });
    const seconds = step.kind === 'cordon' ? step.seconds : 0;
    const outcome = await this.#options.cordoner.tell({ origin: pod.origin, token: work.token ?? '', seconds });
    const told = { uid: step.uid, template: pod.templateHash };
    const learn: Learn = (memory) => (step.kind === 'cordon' ? afterCordon(memory, told, outcome) : memory);
    if (outcome.kind === 'cordoned') return (memory) => afterSuccess(learn(memory), step);
    if (outcome.kind === 'failed' && outcome.unauthorized) this.#options.onStaleToken(keyOf(work.pool));
    const failed = this.#failed(step, work, outcome.because);
    return (memory) => failed(learn(memory));
  }

  /** A failure is one of the API server; it is tried again. A conflict says that the replica has changed since. */
  async #write(
    step: Extract<DrainStep, { kind: 'mark' | 'unmark' | 'relabel' }>,
    { pod, work }: Readonly<{ pod: DrainedPod; work: DrainWork }>,
  ): Promise<Learn> {
    const { origin: _origin, templateHash: _template, ...target } = pod;
    const { client } = this.#options;
    const { signal } = work;
    const mark = step.kind === 'mark' ? step.mark : undefined;
    const evictions = { ...EVICTION_ANNOTATIONS, ...ownEvictions(work.pool) };
    try {
      const outcome =
        step.kind === 'relabel'
          ? await labelReplica(client, target, { labels: step.labels, signal })
          : await markReplica(client, target, { mark, evictions, signal });
      return (memory) => (outcome === 'written' ? afterSuccess(memory, step) : memory);
    } catch (error) {
      return this.#failed(step, work, messageOf(error));
    }
  }

  /** Said when it is new, not each time that it is tried again. */
  #failed(step: DrainStep, { pool, memory: before }: DrainWork, because: string): Learn {
    if (failureOf(before, step)?.because !== because) {
      const fields = { pool: keyOf(pool), replica: step.name, because };
      this.#options.log.warn(fields, `a step of the drain failed: ${step.kind}`);
    }
    return (memory) => afterFailure(memory, step, { because, at: this.#options.now() });
  }
}

/** What the template says of evictions comes back as the template says it. */
function ownEvictions({ spec }: Pool): Readonly<Record<string, string>> {
  const { annotations = {} } = spec.workers.template.metadata ?? {};
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => name in EVICTION_ANNOTATIONS));
}
