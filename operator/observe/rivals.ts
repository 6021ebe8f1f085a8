import type { Rival } from '../core/state.ts';
import { parseRedisUrl } from './queue/redis-url.ts';
import type { QueueName } from './queue/depth.ts';

/** Which pools work on which queue: two Secrets may hold two spellings of one Redis, so addresses are compared. */
export class QueueDirectory {
  readonly #queueOf = new Map<string, string>();
  readonly #poolsOf = new Map<string, Set<string>>();

  /** The pool works on this queue from now on. Returns the keys of the other pools that do. */
  enter(poolKey: string, url: string, queue: QueueName): readonly string[] {
    const parsed = parseRedisUrl(url);
    if (!parsed.ok) return [];
    const { host, port, db } = parsed.target;
    const identity = JSON.stringify([host, port, db, queue.prefix, queue.name]);
    if (this.#queueOf.get(poolKey) !== identity) this.leave(poolKey);
    this.#queueOf.set(poolKey, identity);
    const pools = this.#poolsOf.get(identity) ?? new Set<string>();
    this.#poolsOf.set(identity, pools.add(poolKey));
    return [...pools].filter((key) => key !== poolKey);
  }

  /** Returns the keys of the pools that may now have the queue to themselves. */
  leave(poolKey: string): readonly string[] {
    const identity = this.#queueOf.get(poolKey);
    if (identity === undefined) return [];
    this.#queueOf.delete(poolKey);
    const pools = this.#poolsOf.get(identity);
    pools?.delete(poolKey);
    if (pools?.size === 0) this.#poolsOf.delete(identity);
    return [...(pools ?? [])];
  }
}

/** A pool as another one sees it. */
export const rivalOf = ({ namespace, name, uid, createdAt }: Rival): Rival => ({ namespace, name, uid, createdAt });
