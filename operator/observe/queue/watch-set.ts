import type { Millis } from '../../core/known.ts';
import { isEarlier } from './stream-id.ts';

/** A pool's wish to hear of the next event behind `tip`. */
export type Watch = Readonly<{ poolKey: string; stream: string; tip: string }>;

/** Streams to block on, each with the earliest tip that a pool of it named. */
export type Streams = ReadonlyMap<string, string>;

/**
 * Which pools wait for an event, and from where. A pool that was woken is out until it is watched again with the tip of a
 * newer reading; a pool at rest keeps its tip and is left out until its rest is over.
 */
export class WatchSet {
  readonly #watches = new Map<string, Watch>();
  readonly #restUntil = new Map<string, Millis>();

  set(watch: Watch): void {
    this.#watches.set(watch.poolKey, watch);
  }

  /** True when the pool was in the set. */
  delete(poolKey: string): boolean {
    return this.#watches.delete(poolKey);
  }

  get size(): number {
    return this.#watches.size;
  }

  get(poolKey: string): Watch | undefined {
    return this.#watches.get(poolKey);
  }

  keys(): readonly string[] {
    return [...this.#watches.keys()];
  }

  /** How much longer the pool is left out. */
  restsForMs(poolKey: string, now: Millis): Millis {
    return Math.max(0, (this.#restUntil.get(poolKey) ?? 0) - now);
  }

  forgetRest(poolKey: string): void {
    this.#restUntil.delete(poolKey);
  }

  rest(poolKey: string, until: Millis): void {
    this.#restUntil.set(poolKey, until);
  }

  streams(now: Millis): Streams {
    const streams = new Map<string, string>();
    for (const { poolKey, stream, tip } of this.#watches.values()) {
      if ((this.#restUntil.get(poolKey) ?? 0) > now) continue;
      const other = streams.get(stream);
      if (other === undefined || isEarlier(tip, other)) streams.set(stream, tip);
    }
    return streams;
  }

  /** When the next watched pool comes back from its rest; undefined when none rests. */
  nextWakeUp(now: Millis): Millis | undefined {
    let next: Millis | undefined;
    for (const [poolKey, until] of this.#restUntil) {
      if (until <= now) this.#restUntil.delete(poolKey);
      else if (this.#watches.has(poolKey) && (next === undefined || until < next)) next = until;
    }
    return next;
  }

  /** Takes out the pools whose stream has an entry behind their tip, but not those that rest. */
  take(entries: ReadonlyMap<string, string>, now: Millis): readonly string[] {
    const woken: string[] = [];
    for (const { poolKey, stream, tip } of this.#watches.values()) {
      const entry = entries.get(stream);
      if (entry === undefined || !isEarlier(tip, entry) || (this.#restUntil.get(poolKey) ?? 0) > now) continue;
      woken.push(poolKey);
    }
    for (const poolKey of woken) this.#watches.delete(poolKey);
    return woken;
  }

  /** Takes out all pools, resting ones too: nobody knows what was missed. */
  takeAll(): readonly string[] {
    const all = [...this.#watches.keys()];
    this.#watches.clear();
    return all;
  }
}

/** True when who blocks on `blocked` hears all that `wanted` asks for. */
export const covers = (blocked: Streams, wanted: Streams): boolean =>
  [...wanted].every(([stream, tip]) => {
    const from = blocked.get(stream);
    return from !== undefined && !isEarlier(tip, from);
  });
