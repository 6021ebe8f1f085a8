import { keyOf } from './resources.ts';

/** What every projected object keeps of its metadata. */
export type Projected = Readonly<{ namespace: string; name: string; uid: string; resourceVersion: string }>;

/** For each index its name and how to find an object's values (an owner's UID, the value of a label). */
export type Indexes<T> = Readonly<Record<string, (item: T) => readonly string[]>>;

/** One difference of the store. An object that was deleted and made again is a deletion and then an addition. */
export type Change<T> =
  | Readonly<{ kind: 'added'; previous?: undefined; current: T }>
  | Readonly<{ kind: 'updated'; previous: T; current: T }>
  | Readonly<{ kind: 'deleted'; previous: T; current?: undefined }>;

/** What a reflector knows. Objects are shared: treat them as immutable. */
export type Store<T> = Readonly<{
  /** By `namespace/name`. */
  get(key: string): T | undefined;
  list(): readonly T[];
  /** The objects whose index function gave `value`; throws for an index that was never declared. */
  byIndex(index: string, value: string): readonly T[];
  size(): number;
}>;

export type WritableStore<T> = Store<T> &
  Readonly<{
    set(item: T): Change<T>[];
    remove(key: string): Change<T>[];
    /** Makes `items` the whole content (of one namespace, if given), before any of its changes can be seen. */
    replace(items: Iterable<T>, namespace?: string): Change<T>[];
  }>;

export function createStore<T extends Projected>(indexes: Indexes<T> = {}): WritableStore<T> {
  return new IndexedStore(indexes);
}

class IndexedStore<T extends Projected> implements WritableStore<T> {
  private readonly items = new Map<string, T>();
  private readonly indexes: Indexes<T>;
  private readonly keysByValue = new Map<string, Map<string, Set<string>>>();
  private listed: readonly T[] | undefined;

  constructor(indexes: Indexes<T>) {
    this.indexes = indexes;
    for (const name of Object.keys(indexes)) this.keysByValue.set(name, new Map());
  }

  get(key: string): T | undefined {
    return this.items.get(key);
  }

  list(): readonly T[] {
    this.listed ??= Object.freeze([...this.items.values()]);
    return this.listed;
  }

  byIndex(index: string, value: string): readonly T[] {
    const values = this.keysByValue.get(index);
    if (!values) throw new Error(`the store has no index "${index}"`);
    const found: T[] = [];
    for (const key of values.get(value) ?? []) {
      const item = this.items.get(key);
      if (item) found.push(item);
    }
    return found;
  }

  size(): number {
    return this.items.size;
  }

  set(item: T): Change<T>[] {
    const key = keyOf(item);
    const previous = this.items.get(key);
    if (previous?.uid === item.uid && previous.resourceVersion === item.resourceVersion) return [];
    this.put(key, item);
    if (!previous) return [{ kind: 'added', current: item }];
    if (previous.uid === item.uid) return [{ kind: 'updated', previous, current: item }];
    return [
      { kind: 'deleted', previous },
      { kind: 'added', current: item },
    ];
  }

  remove(key: string): Change<T>[] {
    const previous = this.items.get(key);
    if (!previous) return [];
    this.unindex(key, previous);
    this.items.delete(key);
    this.listed = undefined;
    return [{ kind: 'deleted', previous }];
  }

  replace(items: Iterable<T>, namespace?: string): Change<T>[] {
    const wanted = new Map<string, T>();
    for (const item of items) wanted.set(keyOf(item), item);
    const changes: Change<T>[] = [];
    for (const [key, item] of this.items) {
      if (wanted.has(key) || (namespace !== undefined && item.namespace !== namespace)) continue;
      changes.push(...this.remove(key));
    }
    for (const item of wanted.values()) changes.push(...this.set(item));
    return changes;
  }

  private put(key: string, item: T): void {
    const previous = this.items.get(key);
    if (previous) this.unindex(key, previous);
    this.items.set(key, item);
    this.listed = undefined;
    for (const [name, valuesOf] of Object.entries(this.indexes)) {
      const values = this.keysByValue.get(name);
      for (const value of valuesOf(item)) {
        const keys = values?.get(value);
        if (keys) keys.add(key);
        else values?.set(value, new Set([key]));
      }
    }
  }

  private unindex(key: string, item: T): void {
    for (const [name, valuesOf] of Object.entries(this.indexes)) {
      const values = this.keysByValue.get(name);
      for (const value of valuesOf(item)) {
        const keys = values?.get(value);
        keys?.delete(key);
        if (keys?.size === 0) values?.delete(value);
      }
    }
  }
}
