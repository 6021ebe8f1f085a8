import { TOKEN_KEY, tokenSecretOf } from '../api/names.ts';
import type { Pool } from '../api/parse.ts';
import type { Millis } from '../core/known.ts';
import type { DrainFacts } from '../core/state.ts';
import { wordsOf } from '../kube/errors.ts';
import { keyOf } from '../kube/resources.ts';
import type { SecretCache } from './secret-cache.ts';

/** The token that a pool's replicas ask the operator for; the value goes into a header of a call, and nowhere else. */
export type PoolToken = Readonly<{ state: DrainFacts['token']; value?: string }>;

/** Reads the Secret that the operator has made for the replicas of a pool. */
export class PoolTokens {
  readonly #secrets: SecretCache;

  constructor(secrets: SecretCache) {
    this.#secrets = secrets;
  }

  /** Never rejects. */
  async read(pool: Pool): Promise<PoolToken> {
    const name = tokenSecretOf(pool.name);
    const reading = await this.#secrets.read(userOf(keyOf(pool)), { namespace: pool.namespace, name });
    if (!reading.ok && reading.missing) return { state: 'missing' };
    if (!reading.ok) return { state: { because: sayUnreadable(name, reading.error) } };
    const value = Buffer.from(reading.data[TOKEN_KEY] ?? '', 'base64')
      .toString('utf8')
      .split('\n', 1)[0]
      ?.trim();
    if (value === undefined || value === '') {
      return { state: { because: `Secret ${name} has no ${TOKEN_KEY}: delete it, it is made again` } };
    }
    return { state: 'present', value };
  }

  /** A replica does not know the token: it has been changed, perhaps, since the Secret was read. */
  hurry(poolKey: string): void {
    this.#secrets.hurry(userOf(poolKey), 'soon');
  }

  /** In how many milliseconds it is to be read again. */
  dueInMs(poolKey: string): Millis {
    return this.#secrets.dueInMs(userOf(poolKey));
  }

  forget(poolKey: string): void {
    this.#secrets.forget(userOf(poolKey));
  }
}

const userOf = (poolKey: string): string => `${poolKey} token`;

const sayUnreadable = (name: string, error: unknown): string => `Secret ${name} cannot be read: ${wordsOf(error)}`;
