import type { Ending } from '../core/state.ts';
import type { Change } from '../kube/store.ts';
import type { PodObject } from './pods.ts';

/** A pod is gone a moment after its worker's last words: they are kept so long for the next passes. */
const KEPT_MS = 10 * 60_000;
/** Of all pools. */
const MOST = 1000;

type Kept = Readonly<{ pool: string; at: number; ending: Ending }>;

/** The last words of workers, as the watch of pods brings them: a pass may come when the pod is gone already. */
export class Endings {
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();

  constructor({ now }: Readonly<{ now: () => number }>) {
    this.#now = now;
  }

  note({ previous, current }: Pick<Change<PodObject>, 'previous' | 'current'>): void {
    const { ended } = current ?? {};
    if (current === undefined || ended === undefined || ended.at === previous?.ended?.at) return;
    const { uid, name, pool, templateHash, terminating, deletedAt, disrupted, mark } = current;
    const key = `${uid}/${ended.at}`;
    this.#kept.set(key, {
      pool,
      at: this.#now(),
      ending: {
        ...ended,
        key,
        uid,
        replica: name,
        templateHash,
        terminating,
        disrupted,
        marked: mark !== undefined,
        ...(deletedAt === undefined ? {} : { deletedAt }),
      },
    });
    for (const oldest of [...this.#kept.keys()].slice(0, Math.max(0, this.#kept.size - MOST))) {
      this.#kept.delete(oldest);
    }
  }

  /** Those of a pool in the last minutes, each again and again: what was counted is known to who counts. */
  of(pool: string): readonly Ending[] {
    const since = this.#now() - KEPT_MS;
    for (const [key, { at }] of this.#kept) if (at < since) this.#kept.delete(key);
    return [...this.#kept.values()].flatMap((kept) => (kept.pool === pool ? [kept.ending] : []));
  }
}
