import type { Pool } from '../api/parse.ts';
import type { Millis } from '../core/known.ts';
import type { KubeClient } from '../kube/client.ts';
import { isTerminalRefusal } from '../kube/errors.ts';
import { messageOf } from '../kube/log.ts';
import type { ResourceType } from '../kube/resources.ts';
import type { RedisFailure } from './queue/redis-trouble.ts';

export type RedisUrl = Readonly<{ ok: true; url: string }> | RedisFailure;

const secrets: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };

/** A URL that works is read again after this long, or when Redis refuses it; one that is missing sooner. */
const KEPT_MS: Millis = 10 * 60_000;
const FAILURE_KEPT_MS: Millis = 4000;

/** A Redis that does not serve may stand at another address now; asking for each pool at each pass would be a storm. */
const DOUBTED_KEPT_MS: Millis = 30_000;

type Entry = { answer: RedisUrl; ref: string; readAt: Millis; until: Millis };

/** Reads the Redis URL of pools from their Secrets. The operator may `get` a Secret and no more, so nothing is watched. */
export class RedisSecretReader {
  readonly #client: KubeClient;
  readonly #now: () => Millis;
  readonly #entries = new Map<string, Entry>();
  /** Under way: pools on queues of one name ask for each other's at the same moment. */
  readonly #asked = new Map<string, Readonly<{ ref: string; answer: Promise<RedisUrl> }>>();

  constructor(options: Readonly<{ client: KubeClient; now: () => Millis }>) {
    this.#client = options.client;
    this.#now = options.now;
  }

  /** Never rejects; the sentence of a failure names Secret, key and what to do, and nothing of the value. */
  async read(poolKey: string, pool: Pool): Promise<RedisUrl> {
    const { secretName, key } = pool.spec.queue.redisUrl;
    const ref = `${secretName}/${key}`;
    const kept = this.#entries.get(poolKey);
    if (kept !== undefined && kept.ref === ref && this.#now() < kept.until) return kept.answer;
    const asked = this.#asked.get(poolKey);
    if (asked?.ref === ref) return asked.answer;
    const answer = this.#ask(poolKey, pool, ref);
    this.#asked.set(poolKey, { ref, answer });
    return answer;
  }

  /** The URL did not lead to a Redis that serves: it is read again sooner, soonest when Redis or we refuse the URL itself. */
  doubt(poolKey: string, { trouble }: RedisFailure): void {
    const entry = this.#entries.get(poolKey);
    if (entry === undefined) return;
    const kept = trouble === 'RedisUnreachable' ? DOUBTED_KEPT_MS : FAILURE_KEPT_MS;
    entry.until = Math.min(entry.until, entry.readAt + kept);
  }

  /** The pool is gone. */
  forget(poolKey: string): void {
    this.#asked.delete(poolKey);
    this.#entries.delete(poolKey);
  }

  async #ask(poolKey: string, pool: Pool, ref: string): Promise<RedisUrl> {
    const answer = await this.#get(pool);
    if (this.#asked.get(poolKey)?.ref !== ref) return answer;
    this.#asked.delete(poolKey);
    const readAt = this.#now();
    this.#entries.set(poolKey, { answer, ref, readAt, until: readAt + (answer.ok ? KEPT_MS : FAILURE_KEPT_MS) });
    return answer;
  }

  async #get(pool: Pool): Promise<RedisUrl> {
    const { namespace } = pool;
    const { secretName: name, key } = pool.spec.queue.redisUrl;
    try {
      const secret = await this.#client.get<{ data?: Readonly<Record<string, string>> }>(secrets, { namespace, name });
      if (secret === undefined) {
        return failure(
          'SecretNotFound',
          `Secret ${name} is not in namespace ${namespace}: make it, with the Redis URL under key ${key}`,
        );
      }
      const value = secret.data?.[key];
      if (value === undefined) {
        return failure(
          'SecretKeyMissing',
          `Secret ${name} has no key ${key}: put the Redis URL there, or name another key in spec.queue.redis.url`,
        );
      }
      return { ok: true, url: Buffer.from(value, 'base64').toString('utf8').trim() };
    } catch (error) {
      if (isTerminalRefusal(error) && error.status === 403) return forbidden(pool);
      return failure('RedisUnreachable', `Secret ${name} cannot be read: ${messageOf(error)}`);
    }
  }
}

const failure = (trouble: RedisFailure['trouble'], because: string): RedisFailure => ({ ok: false, trouble, because });

const forbidden = ({ namespace, spec }: Pool): RedisFailure =>
  failure(
    'SecretForbidden',
    `the operator may not read Secret ${spec.queue.redisUrl.secretName}: kubectl create rolebinding agent-worker-pool-secrets -n ${namespace} --clusterrole=agent-worker-pool-secrets --serviceaccount=agent-worker-pool:agent-worker-pool`,
  );
