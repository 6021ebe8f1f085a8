import type { Millis } from '../core/known.ts';
import type { KubeClient } from '../kube/client.ts';
import { keyOf, type ObjectRef, type ResourceType } from '../kube/resources.ts';

const secrets: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };

/** A Secret's values in base64, and the version that they stood in; `missing` when there is no such Secret; else why it cannot be read. */
export type SecretReading =
  | Readonly<{ ok: true; data: Readonly<Record<string, string>>; version: string }>
  | Readonly<{ ok: false; missing: boolean; error?: unknown }>;

type Secret = Readonly<{
  metadata: Readonly<{ uid: string; resourceVersion: string }>;
  data?: Readonly<Record<string, string>>;
}>;

/** How soon a Secret is read again: while it serves, while what it leads to is away, while it is what is wrong. */
export type Pace = 'calm' | 'away' | 'soon';

/**
 * `leastMs` after the last reading, and `eachMs` for every Secret of that pace: so all of them together cost at most
 * five calls a minute, or five a second, however many there are and whatever is wrong with them.
 */
const PACES: Readonly<Record<Pace, Readonly<{ leastMs: Millis; eachMs: Millis }>>> = {
  calm: { leastMs: 10 * 60_000, eachMs: 12_000 },
  away: { leastMs: 30_000, eachMs: 200 },
  soon: { leastMs: 4_000, eachMs: 200 },
};
const SOONER: Readonly<Record<Pace, number>> = { calm: 0, away: 1, soon: 2 };

type Entry = {
  readonly users: Set<string>;
  reading?: SecretReading;
  /** Under way: whoever asks meanwhile gets the same answer. */
  asked?: Promise<SecretReading>;
  readAt: Millis;
  /** From 0.9 to 1.1: those that were read at the same moment are not all read at the same moment again. */
  spread: number;
  pace: Pace;
};

export type SecretCacheOptions = Readonly<{
  client: Pick<KubeClient, 'get'>;
  now: () => Millis;
  random?: () => number;
}>;

/** Secrets, each read once for all who use it. The operator may `get` a Secret and no more, so nothing is watched. */
export class SecretCache {
  readonly #options: SecretCacheOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #keyOfUser = new Map<string, string>();
  readonly #paced: Record<Pace, number> = { calm: 0, away: 0, soon: 0 };

  constructor(options: SecretCacheOptions) {
    this.#options = options;
  }

  /** Never rejects. A user has one Secret at a time; reading another one lets go of the first. */
  async read(user: string, ref: ObjectRef): Promise<SecretReading> {
    const entry = this.#entryFor(user, keyOf(ref));
    if (entry.reading !== undefined && this.#options.now() < this.#dueAt(entry)) return entry.reading;
    entry.asked ??= this.#ask(entry, ref);
    return entry.asked;
  }

  /** What the user's Secret says does not serve: it is read again sooner. Holds until the next reading. */
  hurry(user: string, pace: Pace): void {
    const entry = this.#entries.get(this.#keyOfUser.get(user) ?? '');
    if (entry?.reading !== undefined && SOONER[pace] > SOONER[entry.pace]) this.#pace(entry, pace);
  }

  /** In how many milliseconds the user's Secret is to be read again: whoever uses it asks for it then. A second at least. */
  dueInMs(user: string): Millis {
    const entry = this.#entries.get(this.#keyOfUser.get(user) ?? '');
    return entry === undefined ? 0 : Math.max(1000, this.#dueAt(entry) - this.#options.now());
  }

  forget(user: string): void {
    const key = this.#keyOfUser.get(user);
    const entry = key === undefined ? undefined : this.#entries.get(key);
    this.#keyOfUser.delete(user);
    entry?.users.delete(user);
    if (key === undefined || entry === undefined || entry.users.size > 0) return;
    this.#entries.delete(key);
    this.#paced[entry.pace] -= 1;
  }

  #entryFor(user: string, key: string): Entry {
    if (this.#keyOfUser.get(user) !== key) this.forget(user);
    this.#keyOfUser.set(user, key);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { users: new Set(), readAt: 0, spread: 1, pace: 'calm' };
      this.#entries.set(key, entry);
      this.#paced.calm += 1;
    }
    entry.users.add(user);
    return entry;
  }

  #dueAt({ readAt, pace, spread }: Entry): Millis {
    const { leastMs, eachMs } = PACES[pace];
    return readAt + Math.max(leastMs, eachMs * this.#paced[pace]) * spread;
  }

  async #ask(entry: Entry, ref: ObjectRef): Promise<SecretReading> {
    const reading = await this.#get(ref);
    delete entry.asked;
    entry.reading = reading;
    entry.readAt = this.#options.now();
    entry.spread = 0.9 + 0.2 * (this.#options.random ?? Math.random)();
    // Nobody uses it any more: it is no longer counted.
    if (this.#entries.get(keyOf(ref)) === entry) this.#pace(entry, reading.ok ? 'calm' : 'soon');
    return reading;
  }

  async #get(ref: ObjectRef): Promise<SecretReading> {
    try {
      const secret = await this.#options.client.get<Secret>(secrets, ref);
      if (secret === undefined) return { ok: false, missing: true };
      const { uid, resourceVersion } = secret.metadata;
      return { ok: true, data: secret.data ?? {}, version: `${uid}/${resourceVersion}` };
    } catch (error) {
      return { ok: false, missing: false, error };
    }
  }

  #pace(entry: Entry, pace: Pace): void {
    this.#paced[entry.pace] -= 1;
    this.#paced[pace] += 1;
    entry.pace = pace;
  }
}
