import { type AuditTimings, auditOnce, defaultAuditTimings } from './audit.ts';
import { defaultFeedTimings, Feed, type FeedSink, type FeedTimings } from './feed.ts';
import { type Logger, messageOf, silentLogger } from './log.ts';
import { initReflectorMetrics, type KubeMetrics } from './metrics.ts';
import { keyOf, type ResourceType } from './resources.ts';
import { type Change, createStore, type Indexes, type Projected, type Store } from './store.ts';
import type { KubeTransport } from './transport.ts';
import { deferred, linkedSignal, sleep } from './wait.ts';

export type ReflectorTimings = FeedTimings & AuditTimings;

export type ReflectorOptions<T> = Readonly<{
  transport: KubeTransport;
  type: ResourceType;
  /** The namespaces to watch, one watch each; absent or empty: all, with one watch. */
  namespaces?: readonly string[];
  labelSelector?: string;
  /** What `trouble` and the log say, before the server's words, where the server does not know the type. */
  unknownType?: string;
  /** Keeps of an object only what is read. One that throws leaves the object as it was and is counted. */
  project: (raw: unknown) => T;
  indexes?: Indexes<T>;
  /** Called after the store has changed, in order. What it throws is logged and counted. */
  onChange?: (change: Change<T>) => void;
  log?: Logger;
  metrics?: KubeMetrics;
  timings?: Partial<ReflectorTimings>;
  random?: () => number;
}>;

export type Reflector<T> = Readonly<{
  type: ResourceType;
  store: Store<T>;
  /** Resolves when everything was read once, and goes on; rejects when the signal is aborted before. */
  start(signal: AbortSignal): Promise<void>;
  synced(): boolean;
  stop(): Promise<void>;
  /** Reads everything again, consistently. A new leader does this before it acts. */
  refresh(): Promise<void>;
  /** True once the store shows everything of this namespace up to `resourceVersion`. */
  hasReached(namespace: string, resourceVersion: string): boolean;
  /** Waits for `hasReached`; false when that took longer than `timeoutMs`. */
  waitFor(
    version: Readonly<{ namespace: string; resourceVersion: string }>,
    limit: Readonly<{ timeoutMs: number; signal?: AbortSignal }>,
  ): Promise<boolean>;
  /** Why the store may be old just now, in the server's words; undefined while all is well. */
  trouble(): string | undefined;
  /** Compares the store with a fresh list now; resolves with the number of differences that the watch missed. */
  audit(signal?: AbortSignal): Promise<number>;
}>;

/** Keeps a store equal to the API server's objects of one type, through resets, restarts and expired versions. */
export function createReflector<T extends Projected>(options: ReflectorOptions<T>): Reflector<T> {
  return new WatchingReflector(options);
}

class WatchingReflector<T extends Projected> implements Reflector<T> {
  readonly type: ResourceType;
  readonly store;
  private readonly options: ReflectorOptions<T>;
  private readonly feeds: ReadonlyMap<string | undefined, Feed<T>>;
  private readonly timings: ReflectorTimings;
  private readonly log: Logger;
  private readonly stopped = new AbortController();
  private running: Promise<unknown> = Promise.resolve();
  private readonly unreadable = new Set<string>();
  private isSynced = false;

  constructor(options: ReflectorOptions<T>) {
    this.options = options;
    this.type = options.type;
    this.log = options.log ?? silentLogger;
    this.timings = { ...defaultFeedTimings, ...defaultAuditTimings, ...options.timings };
    this.store = createStore<T>(options.indexes);
    const scopes = options.namespaces?.length ? options.namespaces : [undefined];
    this.feeds = new Map(scopes.map((namespace) => [namespace, this.feedOf(namespace)]));
    if (options.metrics) initReflectorMetrics(options.metrics, options.type.plural);
  }

  async start(signal: AbortSignal): Promise<void> {
    const link = linkedSignal([signal, this.stopped.signal]);
    const aborted = deferred<never>();
    const abort = () => aborted.reject(new Error(`the ${this.type.plural} were not read before the end`));
    aborted.promise.catch(() => undefined);
    if (link.signal.aborted) abort();
    link.signal.addEventListener('abort', abort, { once: true });
    const feeds = [...this.feeds.values()];
    this.running = Promise.all([...feeds.map((feed) => feed.run(link.signal)), this.auditForever(link.signal)]).finally(
      link.dispose,
    );
    await Promise.race([Promise.all(feeds.map((feed) => feed.synced())), aborted.promise]);
    this.isSynced = true;
  }

  synced(): boolean {
    return this.isSynced;
  }

  async stop(): Promise<void> {
    this.stopped.abort(new Error('the reflector was stopped'));
    await this.running;
  }

  async refresh(): Promise<void> {
    await Promise.all([...this.feeds.values()].map((feed) => feed.refresh()));
  }

  hasReached(namespace: string, resourceVersion: string): boolean {
    return this.feedFor(namespace)?.hasReached(resourceVersion) ?? true;
  }

  async waitFor(
    version: Readonly<{ namespace: string; resourceVersion: string }>,
    limit: Readonly<{ timeoutMs: number; signal?: AbortSignal }>,
  ): Promise<boolean> {
    return (await this.feedFor(version.namespace)?.waitFor(version.resourceVersion, limit)) ?? true;
  }

  trouble(): string | undefined {
    for (const feed of this.feeds.values()) {
      const trouble = feed.trouble();
      if (trouble !== undefined) return trouble;
    }
    return undefined;
  }

  async audit(signal?: AbortSignal): Promise<number> {
    let missed = 0;
    const { transport, labelSelector, metrics } = this.options;
    const resource = this.type.plural;
    for (const [namespace, feed] of this.feeds) {
      const scope = { namespace, labelSelector, signal };
      const { type, store, timings, unreadable: leftOut } = this;
      const keys = await auditOnce({ transport, type, scope, store, leftOut, timings });
      missed += keys.length;
      metrics?.relistDifferences.inc({ resource }, keys.length);
      if (keys.length === 0) continue;
      this.log.error({ resource, keys: keys.slice(0, 10), count: keys.length }, 'the watch missed changes');
      await feed.refresh();
    }
    metrics?.audits.inc({ resource });
    return missed;
  }

  private async auditForever(signal: AbortSignal): Promise<void> {
    const random = this.options.random ?? Math.random;
    while (!signal.aborted) {
      try {
        await sleep(this.timings.auditMs * (0.9 + 0.2 * random()), signal);
        await this.audit(signal);
      } catch (error) {
        if (!signal.aborted) this.log.warn({ resource: this.type.plural, because: messageOf(error) }, 'no audit');
      }
    }
  }

  private feedOf(namespace: string | undefined): Feed<T> {
    const { transport, type, labelSelector, unknownType, project, metrics, random = Math.random } = this.options;
    const { log, timings } = this;
    return new Feed<T>({
      transport,
      type,
      namespace,
      labelSelector,
      unknownType,
      project,
      metrics,
      random,
      log,
      timings,
      sink: this.sinkOf(namespace),
    });
  }

  private feedFor(namespace: string): Feed<T> | undefined {
    return this.feeds.get(undefined) ?? this.feeds.get(namespace);
  }

  private sinkOf(namespace: string | undefined): FeedSink<T> {
    return {
      replace: (items) => this.tell(this.store.replace(items.values(), namespace)),
      set: (item) => {
        this.unreadable.delete(keyOf(item));
        this.tell(this.store.set(item));
      },
      remove: (key) => {
        this.unreadable.delete(key);
        this.tell(this.store.remove(key));
      },
      unreadable: (key, error) => {
        this.unreadable.add(key);
        this.report('project', key, error);
      },
      held: (key) => this.store.get(key),
    };
  }

  private tell(changes: readonly Change<T>[]): void {
    this.options.metrics?.storeObjects.set({ resource: this.type.plural }, this.store.size());
    for (const change of changes) {
      try {
        this.options.onChange?.(change);
      } catch (error) {
        this.report('change', keyOf(change.kind === 'deleted' ? change.previous : change.current), error);
      }
    }
  }

  private report(stage: 'project' | 'change', key: string, error: unknown): void {
    const resource = this.type.plural;
    this.options.metrics?.handlerErrors.inc({ resource, stage });
    this.log.error({ resource, key, stage, because: messageOf(error) }, 'an object could not be handled');
  }
}
