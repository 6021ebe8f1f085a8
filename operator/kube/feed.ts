import { Collection, type ReadTimings, rawKey, versionOf } from './collection.ts';
import { isNotFound } from './errors.ts';
import { type Logger, messageOf } from './log.ts';
import type { KubeMetrics } from './metrics.ts';
import type { ResourceType } from './resources.ts';
import { RestartPolicy, type RestartTimings } from './restart-policy.ts';
import { SeenVersion } from './seen-version.ts';
import type { Projected } from './store.ts';
import type { KubeTransport } from './transport.ts';
import { asError, type Deferred, deferred, linkedSignal, sleep } from './wait.ts';
import { type RawObject, type WatchEvent, WatchFault } from './watch-events.ts';

export type FeedTimings = ReadTimings & RestartTimings;

export const defaultFeedTimings: FeedTimings = {
  watchMinSeconds: 300,
  watchMaxSeconds: 600,
  listLimitMs: 60_000,
  backoff: { baseMs: 800, maxMs: 10_000 },
  healthyAfterMs: 60_000,
};

/** Receives what the feed learns, in order. */
export type FeedSink<T> = Readonly<{
  replace(items: ReadonlyMap<string, T>): void;
  set(item: T): void;
  remove(key: string): void;
  /** A projection that threw; the object is kept as it was. */
  unreadable(key: string, error: unknown): void;
  /** The object as the sink has it. */
  held(key: string): T | undefined;
}>;

export type FeedOptions<T> = Readonly<{
  transport: KubeTransport;
  type: ResourceType;
  namespace: string | undefined;
  labelSelector: string | undefined;
  unknownType: string | undefined;
  project: (raw: unknown) => T;
  sink: FeedSink<T>;
  log: Logger;
  metrics: KubeMetrics | undefined;
  timings: FeedTimings;
  random: () => number;
}>;

/** Ends a cycle because a fresh read was asked for. */
class RefreshAsked extends Error {}

/**
 * Keeps a sink equal to one collection of the API server, for ever: list, watch, resume, and list again when the
 * server no longer knows where to resume. The states are those of kube-rs' watcher (docs/adr has the reasons).
 */
export class Feed<T extends Projected> {
  private readonly options: FeedOptions<T>;
  private readonly collection: Collection<T>;
  private readonly restarts: RestartPolicy;
  private readonly firstList: Deferred<void> = deferred();
  private readonly seen = new SeenVersion();
  private readonly refreshes = new Set<Deferred<void>>();
  private mustList = true;
  private interrupt: ((reason: Error) => void) | undefined;
  private fault: string | undefined;

  constructor(options: FeedOptions<T>) {
    this.options = options;
    const keep = (key: string, object: RawObject) => this.project(key, object) ?? options.sink.held(key);
    this.collection = new Collection({ ...options, keep });
    this.restarts = new RestartPolicy(options.timings, options.random);
  }

  /** Resolves after the first whole read. */
  synced(): Promise<void> {
    return this.firstList.promise;
  }

  /** Why nothing comes at the moment, in the server's words; undefined while all is well. */
  trouble(): string | undefined {
    return this.fault;
  }

  /** True when everything up to `version` has been seen. */
  hasReached(version: string): boolean {
    return this.seen.hasReached(version);
  }

  /** Waits until everything up to `version` has been seen; false when that took longer than the limit. */
  waitFor(version: string, limit: Readonly<{ timeoutMs: number; signal?: AbortSignal }>): Promise<boolean> {
    return this.seen.waitFor(version, limit);
  }

  /** Reads everything again, consistently; resolves when the sink holds what a list sent after this call returned. */
  refresh(): Promise<void> {
    const asked = deferred();
    this.refreshes.add(asked);
    this.mustList = true;
    this.interrupt?.(new RefreshAsked('a fresh read was asked for'));
    return asked.promise;
  }

  /** Works until the signal is aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const cycle = linkedSignal([signal]);
      this.interrupt = cycle.abort;
      const began = performance.now();
      try {
        await this.listAndWatch(cycle.signal);
        await this.pause(
          new WatchFault('closed', { relist: false, message: 'the server ended the watch' }),
          began,
          cycle.signal,
        );
      } catch (error) {
        if (!cycle.signal.aborted) await this.pause(error, began, cycle.signal).catch(() => undefined);
      } finally {
        cycle.dispose();
      }
    }
    for (const asked of this.refreshes) asked.reject(asError(signal.reason));
    this.refreshes.clear();
  }

  private async listAndWatch(signal: AbortSignal): Promise<void> {
    const from = this.mustList ? undefined : this.seen.get();
    for await (const news of this.collection.read(from, signal)) {
      if (news.kind === 'event') this.take(news.event);
      else this.replace(news.items, news.version);
    }
  }

  private replace(items: ReadonlyMap<string, T>, version: string): void {
    this.mustList = false;
    this.options.metrics?.lists.inc({ resource: this.options.type.plural });
    this.options.sink.replace(items);
    this.progress(version);
    this.firstList.resolve();
    for (const asked of this.refreshes) asked.resolve();
    this.refreshes.clear();
  }

  private take(event: WatchEvent): void {
    const version = versionOf(event.object);
    if (this.seen.isBehind(version)) {
      const message = `the watch went from version ${this.seen.get()} back to ${version}`;
      throw new WatchFault('backwards', { relist: true, message });
    }
    if (event.type !== 'BOOKMARK') {
      const key = rawKey(event.object);
      const item = event.type === 'DELETED' ? undefined : this.project(key, event.object);
      if (item) this.options.sink.set(item);
      else if (event.type === 'DELETED') this.options.sink.remove(key);
    }
    this.progress(version);
  }

  private project(key: string, object: RawObject): T | undefined {
    try {
      return this.options.project(object);
    } catch (error) {
      this.options.sink.unreadable(key, error);
      return undefined;
    }
  }

  private progress(version: string): void {
    this.restarts.progressed();
    if (this.fault !== undefined) this.options.log.info({ path: this.collection.path }, 'the watch is back');
    this.fault = undefined;
    this.seen.advance(version);
  }

  /** Decides whether to list again, and waits as long as the fault asks for. */
  private async pause(error: unknown, began: number, signal: AbortSignal): Promise<void> {
    const { reason, relist, delayMs } = this.restarts.judge(error, performance.now() - began);
    this.options.metrics?.watchRestarts.inc({ resource: this.options.type.plural, reason });
    if (relist) this.mustList = true;
    const because = this.words(error);
    const isNew = reason !== 'closed' && this.fault !== because;
    const fields = { path: this.collection.path, reason, because, delayMs: Math.round(delayMs) };
    this.options.log[isNew ? 'warn' : 'debug'](fields, 'the watch ended and will be opened again');
    if (isNew) this.fault = because;
    await sleep(delayMs, signal);
  }

  /** A collection that is not found is one of a type that is not installed; only our own reader knows the cure. */
  private words(error: unknown): string {
    const { unknownType } = this.options;
    const words = messageOf(error);
    return unknownType !== undefined && isNotFound(error) ? `${unknownType} (${words})` : words;
  }
}
