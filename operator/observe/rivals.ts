import type { Pool } from '../api/parse.ts';
import type { Rival } from '../core/state.ts';
import { keyOf } from '../kube/resources.ts';
import type { Store } from '../kube/store.ts';
import type { PoolObject } from './cluster.ts';
import { keyBaseOf, type QueueName } from './queue/depth.ts';
import { parseRedisUrl } from './queue/redis-url.ts';
import type { RedisSecretReader } from './redis-secret.ts';

/** Index of the pools by their queue, in whichever Redis. */
export const QUEUE_INDEX = 'queue';

export const queueIndex = ({ parsed }: Pick<PoolObject, 'parsed'>): readonly string[] =>
  parsed.ok ? [keyBaseOf(parsed.pool.spec.queue)] : [];

/** Which pools work on which queue: two Secrets may hold two spellings of one Redis, so places are compared. */
export class QueueDirectory {
  /** Undefined: looked at, and its Redis is not known, so it works on no queue. */
  readonly #placeOf = new Map<string, string | undefined>();
  readonly #poolsOf = new Map<string, Set<string>>();

  /** Whether it is known where the pool works, or that it does not. */
  knows(poolKey: string): boolean {
    return this.#placeOf.has(poolKey);
  }

  /** The pool works on this queue from now on. */
  enter(poolKey: string, url: string, queue: QueueName): void {
    const place = placeOf(url, queue);
    if (place === undefined) return this.leave(poolKey);
    if (this.#placeOf.get(poolKey) !== place) this.leave(poolKey);
    this.#placeOf.set(poolKey, place);
    const pools = this.#poolsOf.get(place) ?? new Set<string>();
    this.#poolsOf.set(place, pools.add(poolKey));
  }

  /** The pool works on no queue for now. */
  leave(poolKey: string): void {
    this.forget(poolKey);
    this.#placeOf.set(poolKey, undefined);
  }

  /** The pool is gone. Returns the keys of the pools that may now have the queue to themselves. */
  forget(poolKey: string): readonly string[] {
    const heirs = this.othersBeside(poolKey);
    const place = this.#placeOf.get(poolKey);
    this.#placeOf.delete(poolKey);
    if (place === undefined) return heirs;
    this.#poolsOf.get(place)?.delete(poolKey);
    if (heirs.length === 0) this.#poolsOf.delete(place);
    return heirs;
  }

  /** The keys of the other pools on the pool's queue. */
  othersBeside(poolKey: string): readonly string[] {
    const place = this.#placeOf.get(poolKey);
    const pools = place === undefined ? undefined : this.#poolsOf.get(place);
    return [...(pools ?? [])].filter((key) => key !== poolKey);
  }
}

export type RivalParts = Readonly<{
  pools: Readonly<{ store: Pick<Store<PoolObject>, 'get' | 'byIndex'> }>;
  secrets: Pick<RedisSecretReader, 'read'>;
  queues: QueueDirectory;
}>;

/**
 * The other pools on the same queue of the same Redis. Every pool whose queue has that name is looked up first: a new
 * leader that meets the younger of two pools first must not take it for the only one.
 */
export async function findRivals(parts: RivalParts, pool: Pool, url: string): Promise<readonly Rival[]> {
  const { pools, queues } = parts;
  const key = keyOf(pool);
  queues.enter(key, url, pool.spec.queue);
  const namesakes = pools.store.byIndex(QUEUE_INDEX, keyBaseOf(pool.spec.queue));
  const strangers = namesakes.filter((object) => !queues.knows(keyOf(object)));
  await Promise.all(strangers.map((object) => lookUp(parts, object)));
  return queues.othersBeside(key).flatMap((other) => {
    const object = pools.store.get(other);
    return object === undefined ? [] : [rivalOf(object)];
  });
}

async function lookUp({ secrets, queues }: RivalParts, { parsed, ...ref }: PoolObject): Promise<void> {
  if (!parsed.ok) return;
  const key = keyOf(ref);
  const secret = await secrets.read(key, parsed.pool);
  // Its own pass may have been faster, and knows better.
  if (queues.knows(key)) return;
  if (secret.ok) queues.enter(key, secret.url, parsed.pool.spec.queue);
  else queues.leave(key);
}

/** A pool as another one sees it. */
const rivalOf = ({ namespace, name, uid, createdAt }: PoolObject): Rival => ({ namespace, name, uid, createdAt });

/** Host, port, database and queue in one spelling; undefined for a URL that cannot be used. */
function placeOf(url: string, { prefix, name }: QueueName): string | undefined {
  const parsed = parseRedisUrl(url);
  if (!parsed.ok) return undefined;
  const { host, port, db } = parsed.target;
  return JSON.stringify([withoutClusterDomain(host), port, db, prefix, name]);
}

/** `redis.agents`, `redis.agents.svc` and `redis.agents.svc.cluster.local.` are one Service. */
const withoutClusterDomain = (host: string): string =>
  host
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^([^.]+\.[^.]+)\.svc(\.cluster\.local)?$/, '$1');
