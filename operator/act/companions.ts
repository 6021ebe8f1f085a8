import type { Pool } from '../api/parse.ts';
import type { Decision } from '../core/decision.ts';
import type { DrainMemory } from '../core/drain/view.ts';
import type { Millis } from '../core/known.ts';
import type { KubeClient } from '../kube/client.ts';
import { keyOf } from '../kube/resources.ts';
import { makeDisruptionBudget } from './disruption-budget.ts';
import { makeToken } from './token.ts';

export type CompanionsOptions = Readonly<{
  client: KubeClient;
  now: () => Millis;
  /** The pool's token is there: what was read of its Secret before is void, or it would be made again in each pass. */
  onToken: (poolKey: string) => void;
  /** Other pools wait for their turn. */
  crowded: () => boolean;
  onRefused: (pool: Pool, because: string) => void;
}>;

type Work = Readonly<{ pool: Pool; memory: DrainMemory; signal: AbortSignal }>;

/** What stands beside a pool's Deployment. A refusal keeps nothing back: the pool is scaled without it. */
export class Companions {
  readonly #options: CompanionsOptions;

  constructor(options: CompanionsOptions) {
    this.#options = options;
  }

  /** To be called before the Deployment is made: a replica cannot start without the Secret. */
  async makeToken({ makesToken }: Decision, { pool, memory, signal }: Work): Promise<DrainMemory> {
    if (!makesToken) return memory;
    const { client, now, onToken } = this.#options;
    const because = await makeToken(client, pool, signal);
    if (because !== undefined) return { ...memory, tokenRefused: { at: now(), because } };
    onToken(keyOf(pool));
    return memory;
  }

  /** No replica needs it to start: the number of replicas goes first, of every pool. */
  async makeBudget({ makesBudget }: Decision, { pool, memory, signal }: Work): Promise<DrainMemory> {
    const { client, now, crowded, onRefused } = this.#options;
    if (!makesBudget || crowded()) return memory;
    const because = await makeDisruptionBudget(client, pool, signal);
    if (because !== undefined) onRefused(pool, because);
    return { ...memory, budgetAt: now() };
  }
}
