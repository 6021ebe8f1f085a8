import type { Pool } from '../api/parse.ts';
import type { Millis } from '../core/known.ts';
import { isForbidden } from '../kube/errors.ts';
import { messageOf } from '../kube/log.ts';
import type { RedisFailure } from './queue/redis-trouble.ts';
import type { SecretCache, SecretReading } from './secret-cache.ts';
import type { Grants } from './rights.ts';

/** The URL, and the version of the Secret that it stands in. */
export type RedisUrl = Readonly<{ ok: true; url: string; version: string }> | RedisFailure;

/** The Redis URL of pools, from their Secrets. */
export class RedisSecretReader {
  readonly #secrets: SecretCache;
  readonly #grants: Grants;

  constructor(secrets: SecretCache, grants: Grants) {
    this.#secrets = secrets;
    this.#grants = grants;
  }

  /** Never rejects; the sentence of a failure names Secret, key and what to do, and nothing of the value. */
  async read(poolKey: string, pool: Pool): Promise<RedisUrl> {
    const { secretName, key } = pool.spec.queue.redisUrl;
    const reading = await this.#secrets.read(poolKey, { namespace: pool.namespace, name: secretName });
    if (!reading.ok) return failureOf(pool, reading, this.#grants);
    const value = reading.data[key];
    if (value !== undefined) {
      return { ok: true, url: Buffer.from(value, 'base64').toString('utf8').trim(), version: reading.version };
    }
    this.#secrets.hurry(poolKey, 'soon');
    return failure(
      'SecretKeyMissing',
      `Secret ${secretName} has no key ${key}: put the Redis URL there, or name another key in spec.queue.redis.url`,
    );
  }

  /** The URL did not lead to a Redis that serves: it is read again sooner, soonest when Redis or we refuse the URL itself. */
  doubt(poolKey: string, { trouble }: RedisFailure): void {
    this.#secrets.hurry(poolKey, trouble === 'RedisUnreachable' ? 'away' : 'soon');
  }

  /** In how many milliseconds it is to be read again. */
  dueInMs(poolKey: string): Millis {
    return this.#secrets.dueInMs(poolKey);
  }

  /** The pool is gone. */
  forget(poolKey: string): void {
    this.#secrets.forget(poolKey);
  }
}

type Unread = SecretReading & { ok: false };

function failureOf(pool: Pool, { missing, error }: Unread, grants: Grants): RedisFailure {
  const { namespace } = pool;
  const { secretName: name, key } = pool.spec.queue.redisUrl;
  if (missing) {
    return failure(
      'SecretNotFound',
      `Secret ${name} is not in namespace ${namespace}: make it, with the Redis URL under key ${key}`,
    );
  }
  if (isForbidden(error)) return forbidden(pool, grants);
  return failure('RedisUnreachable', `Secret ${name} cannot be read: ${messageOf(error)}`);
}

const failure = (trouble: RedisFailure['trouble'], because: string): RedisFailure => ({ ok: false, trouble, because });

const forbidden = ({ namespace, spec }: Pool, grants: Grants): RedisFailure =>
  failure(
    'SecretForbidden',
    `the operator may not read Secret ${spec.queue.redisUrl.secretName}: ${grants.ofSecrets(namespace)}`,
  );
