import type { Pool } from '../api/parse.ts';
import type { PoolState, RedisAccess } from '../core/state.ts';
import type { PoolRedis } from './queue/pool-redis.ts';
import type { RedisAccessRegistry } from './queue/redis-access.ts';
import type { RedisUrl, RedisSecretReader } from './redis-secret.ts';
import { findRivals, type RivalParts } from './rivals.ts';

type WayParts = RivalParts & Readonly<{ secrets: RedisSecretReader; redis: RedisAccessRegistry }>;

/** The pool's way to its Redis, or which link of it is broken; with the URL, where that could be read. */
export type Way = Readonly<{
  opened: PoolRedis | (RedisAccess & { ok: false });
  secret?: Extract<RedisUrl, { ok: true }>;
  rivals: PoolState['rivals'];
}>;

/** From the pool's Secret to a Redis that can be asked. Never rejects. */
export async function openWay(parts: WayParts, key: string, pool: Pool): Promise<Way> {
  const secret = await parts.secrets.read(key, pool);
  if (!secret.ok) {
    parts.redis.release(key);
    parts.queues.leave(key);
    return { opened: secret, rivals: [] };
  }
  const { name, prefix, commandsPerMinute } = pool.spec.queue;
  const opened = parts.redis.open(key, { url: secret.url, queue: { name, prefix }, commandsPerMinute });
  return { opened, secret, rivals: await findRivals(parts, pool, secret.url) };
}

/**
 * After a failure of the way: the Secret is read again sooner. What Redis refuses may have been rotated a moment ago; then
 * the new URL serves in the same pass.
 */
export async function reopenWay(parts: WayParts, way: Way, { key, pool, redis }: Refused): Promise<Way | undefined> {
  parts.secrets.doubt(key, redis);
  if (redis.trouble !== 'RedisAuthFailed' || way.secret === undefined) return undefined;
  const secret = await parts.secrets.read(key, pool);
  return secret.ok && secret.url !== way.secret.url ? openWay(parts, key, pool) : undefined;
}

type Refused = Readonly<{ key: string; pool: Pool; redis: RedisAccess & { ok: false } }>;
