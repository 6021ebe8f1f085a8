import type { Pool } from '../api/parse.ts';
import type { Rival } from '../core/state.ts';
import { keyOf } from '../kube/resources.ts';
import type { Store } from '../kube/store.ts';
import type { PoolObject } from './cluster.ts';
import { keyBaseOf, type QueueName } from './queue/depth.ts';
import type { RedisAccessRegistry } from './queue/redis-access.ts';
import { parseRedisUrl } from './queue/redis-url.ts';
import type { RedisSecretReader } from './redis-secret.ts';

/** Index of the pools by their queue, in whichever Redis. */
export const QUEUE_INDEX = 'queue';

export const queueIndex = ({ parsed }: Pick<PoolObject, 'parsed'>): readonly string[] =>
  parsed.ok ? [keyBaseOf(parsed.pool.spec.queue)] : [];

/** A queue, and where it is; `server` is the id of its Redis, where that is known. */
export type Whereabouts = Readonly<{ url: string; queue: QueueName; server?: string | undefined }>;

/**
 * Which pools work on which queue. Two Secrets may hold two spellings of one Redis, so places are compared; and two names
 * of one Redis, so servers are, by what they say of themselves, as soon as that is known.
 */
export class QueueDirectory {
  /** Empty: looked at, and its Redis is not known, so it works on no queue. */
  readonly #placesOf = new Map<string, readonly string[]>();
  readonly #poolsAt = new Map<string, Set<string>>();
  readonly #onNews: (poolKey: string) => void;

  /** `onNews`: what is known of a pool's neighbours has changed, by somebody else's pass. */
  constructor(onNews: (poolKey: string) => void = () => {}) {
    this.#onNews = onNews;
  }

  /** Whether it is known where the pool works, or that it does not. */
  knows(poolKey: string): boolean {
    return this.#placesOf.has(poolKey);
  }

  /** The pool works on this queue from now on. Of its namesakes, those whose server is not known yet are to say it now. */
  enter(poolKey: string, at: Whereabouts, namesakes: readonly string[] = []): void {
    const isNews = this.#move(poolKey, placesOf(at));
    if (isNews) for (const other of namesakes) if (this.#placesOf.get(other)?.length === 1) this.#onNews(other);
  }

  /** The pool works on no queue for now. */
  leave(poolKey: string): void {
    this.#move(poolKey, []);
  }

  #move(poolKey: string, places: readonly string[]): boolean {
    if (this.#placesOf.get(poolKey)?.join() === places.join()) return false;
    const left = this.forget(poolKey);
    this.#placesOf.set(poolKey, places);
    for (const place of places) this.#poolsAt.set(place, (this.#poolsAt.get(place) ?? new Set()).add(poolKey));
    for (const other of new Set([...left, ...this.othersBeside(poolKey)])) this.#onNews(other);
    return true;
  }

  /** The pool is gone. Returns the keys of the pools that may now have the queue to themselves. */
  forget(poolKey: string): readonly string[] {
    const heirs = this.othersBeside(poolKey);
    for (const place of this.#placesOf.get(poolKey) ?? []) {
      const pools = this.#poolsAt.get(place);
      pools?.delete(poolKey);
      if (pools?.size === 0) this.#poolsAt.delete(place);
    }
    this.#placesOf.delete(poolKey);
    return heirs;
  }

  /** The keys of the other pools on the pool's queue. */
  othersBeside(poolKey: string): readonly string[] {
    const places = this.#placesOf.get(poolKey) ?? [];
    const others = new Set(places.flatMap((place) => [...(this.#poolsAt.get(place) ?? [])]));
    others.delete(poolKey);
    return [...others];
  }
}

export type RivalParts = Readonly<{
  pools: Readonly<{ store: Pick<Store<PoolObject>, 'get' | 'byIndex'> }>;
  secrets: Pick<RedisSecretReader, 'read'>;
  redis: Pick<RedisAccessRegistry, 'open' | 'identify'>;
  queues: QueueDirectory;
}>;

/**
 * The other pools on the same queue of the same Redis. Every pool whose queue has that name is looked up first: a new
 * leader that meets the younger of two pools first must not take it for the only one. Servers are asked who they are only
 * where there is such a pool.
 */
export async function findRivals(parts: RivalParts, pool: Pool, url: string): Promise<readonly Rival[]> {
  const { pools, queues, redis } = parts;
  const key = keyOf(pool);
  const namesakes = pools.store
    .byIndex(QUEUE_INDEX, keyBaseOf(pool.spec.queue))
    .filter((object) => keyOf(object) !== key);
  const server = namesakes.length === 0 ? undefined : await redis.identify(key);
  const at = { url, queue: pool.spec.queue, server };
  queues.enter(
    key,
    at,
    namesakes.map((object) => keyOf(object)),
  );
  const strangers = namesakes.filter((object) => !queues.knows(keyOf(object)));
  await Promise.all(strangers.map((object) => lookUp(parts, object)));
  return queues.othersBeside(key).flatMap((other) => {
    const object = pools.store.get(other);
    return object === undefined ? [] : [rivalOf(object)];
  });
}

async function lookUp({ secrets, redis, queues }: RivalParts, { parsed, ...ref }: PoolObject): Promise<void> {
  if (!parsed.ok) return;
  const key = keyOf(ref);
  const { queue } = parsed.pool.spec;
  const secret = await secrets.read(key, parsed.pool);
  // Its own pass may have been faster, and knows better.
  if (queues.knows(key)) return;
  if (!secret.ok) return queues.leave(key);
  const { commandsPerMinute } = queue;
  const opened = redis.open(key, { url: secret.url, queue, commandsPerMinute });
  const server = opened.ok ? await redis.identify(key) : undefined;
  if (!queues.knows(key)) queues.enter(key, { url: secret.url, queue, server });
}

/** A pool as another one sees it. */
const rivalOf = ({ namespace, name, uid, createdAt }: PoolObject): Rival => ({ namespace, name, uid, createdAt });

/** Where the queue is, in one spelling, and in which server; none for a URL that cannot be used. */
function placesOf({ url, queue: { prefix, name }, server }: Whereabouts): readonly string[] {
  const parsed = parseRedisUrl(url);
  if (!parsed.ok) return [];
  const { host, port, db } = parsed.target;
  const place = JSON.stringify([withoutClusterDomain(host), port, db, prefix, name]);
  return server === undefined ? [place] : [place, JSON.stringify([server, db, prefix, name])];
}

/** `redis.agents`, `redis.agents.svc` and `redis.agents.svc.cluster.local.` are one Service. */
const withoutClusterDomain = (host: string): string =>
  host
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^([^.]+\.[^.]+)\.svc(\.cluster\.local)?$/, '$1');
