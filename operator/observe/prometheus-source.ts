import type { Pool } from '../api/parse.ts';
import { type Known, unknown } from '../core/known.ts';
import { wordsOf } from '../kube/errors.ts';
import { keyOf } from '../kube/resources.ts';
import type { PrometheusClient } from './queue/prometheus-client.ts';
import { defaultQuery } from './queue/prometheus-query.ts';
import type { SecretCache, SecretReading } from './secret-cache.ts';

type SecretKey = Readonly<{ secretName: string; key: string }>;
/** A value of a Secret, none because none is named, or why it cannot be had. */
type Value = Readonly<{ ok: true; text?: string }> | Readonly<{ ok: false; because: string }>;

/** How many jobs wait, by the Prometheus server of a pool's `spec.scaling.metrics.prometheus`. */
export class PrometheusSource {
  readonly #client: PrometheusClient;
  readonly #secrets: SecretCache;

  constructor(client: PrometheusClient, secrets: SecretCache) {
    this.#client = client;
    this.#secrets = secrets;
  }

  /** Never rejects; unknown with the reason, never 0. */
  async waitingOf(pool: Pool): Promise<Known<number>> {
    const { prometheus } = pool.spec.scaling;
    if (prometheus === undefined) return unknown('spec.scaling.metrics.prometheus is not set');
    const { url, query, token: tokenRef, ca: caRef } = prometheus;
    const [token, ca] = await Promise.all([this.#value(pool, 'token', tokenRef), this.#value(pool, 'ca', caRef)]);
    if (!token.ok) return unknown(token.because);
    if (!ca.ok) return unknown(ca.because);
    const answer = await this.#client.ask(keyOf(pool), {
      url,
      query: query ?? defaultQuery({ queue: pool.spec.queue.name, namespace: pool.namespace }),
      ...(token.text === undefined ? {} : { token: token.text }),
      ...(ca.text === undefined ? {} : { ca: ca.text }),
    });
    // A rotated token or certificate is read soon after the first refusal.
    if (!answer.ok) for (const what of ['token', 'ca']) this.#secrets.hurry(`${keyOf(pool)}#${what}`, 'away');
    return answer;
  }

  forget(poolKey: string): void {
    this.#client.forget(poolKey);
    for (const what of ['token', 'ca']) this.#secrets.forget(`${poolKey}#${what}`);
  }

  async #value(pool: Pool, what: 'token' | 'ca', ref: SecretKey | undefined): Promise<Value> {
    if (ref === undefined) return { ok: true };
    const user = `${keyOf(pool)}#${what}`;
    const reading = await this.#secrets.read(user, { namespace: pool.namespace, name: ref.secretName });
    if (!reading.ok) return { ok: false, because: sayFailure(ref, reading) };
    const value = reading.data[ref.key];
    const text = Buffer.from(value ?? '', 'base64')
      .toString('utf8')
      .trim();
    // No certificate at all would mean those of the system.
    if (text !== '') return { ok: true, text };
    this.#secrets.hurry(user, 'soon');
    const because = value === undefined ? `has no key ${ref.key}` : `has nothing in its key ${ref.key}`;
    return { ok: false, because: `Secret ${ref.secretName} ${because}, which Prometheus is to be asked with` };
  }
}

function sayFailure({ secretName }: SecretKey, { missing, error }: SecretReading & { ok: false }): string {
  if (missing) return `Secret ${secretName}, which Prometheus is to be asked with, does not exist`;
  return `Secret ${secretName} cannot be read: ${wordsOf(error)}`;
}
