import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { REDIS_SECRET_ANNOTATION, REDIS_URL_ANNOTATION } from '../api/names.ts';
import type { UrlMark } from '../core/state.ts';

const LENGTH = 16;
/**
 * Whoever may see pods sees their annotations, and may try passwords on a digest: some milliseconds a try, in libuv's threads,
 * and few enough that a thousand pools that are made at once take seconds. The URL of a usual Redis holds a random password, for which no such search is of any use.
 */
const COST = { N: 1024 };

const derive = promisify<string, string, number, typeof COST, Buffer>(scrypt);

export type UrlFacts = Readonly<{
  url: string;
  version: string;
  /** UID of the pool: two pools with one URL have two digests. */
  salt: string;
  /** Annotations of the pool's Deployment, where there is one. */
  annotations: Readonly<Record<string, string>>;
}>;

/** The marks of the pools' URLs, each worked out once. */
export class UrlMarks {
  readonly #last = new Map<string, Readonly<{ url: string; digest: string }>>();

  /** Of the version of the Secret that the Deployment was marked from, it is the mark there. */
  async of({ url, version, salt, annotations }: UrlFacts): Promise<UrlMark> {
    const known = annotations[REDIS_URL_ANNOTATION];
    if (known !== undefined && annotations[REDIS_SECRET_ANNOTATION] === version) {
      return { digest: known, secretVersion: version };
    }
    const last = this.#last.get(salt);
    if (last?.url === url) return { digest: last.digest, secretVersion: version };
    const digest = (await derive(url, salt, LENGTH, COST)).toString('hex');
    this.#last.set(salt, { url, digest });
    return { digest, secretVersion: version };
  }

  /** The pool is gone. */
  forget(salt: string): void {
    this.#last.delete(salt);
  }
}
