import { setImmediate } from 'node:timers/promises';
import { isNotFound, KubeError } from './errors.ts';
import { listInPages } from './list.ts';
import { type Logger, messageOf } from './log.ts';
import type { KubeMetrics } from './metrics.ts';
import { keyOf, type ResourceType, resourcePath } from './resources.ts';
import { RestartPolicy, type RestartTimings } from './restart-policy.ts';
import { SeenVersion } from './seen-version.ts';
import type { Projected } from './store.ts';
import type { KubeTransport } from './transport.ts';
import { asError, type Deferred, deferred, linkedSignal, sleep } from './wait.ts';
import { type RawObject, readWatchEvents, type WatchEvent, WatchFault } from './watch-events.ts';

export type FeedTimings = Readonly<{
  /** The server ends a watch after a random time between these; then it is resumed. */
  watchMinSeconds: number;
  watchMaxSeconds: number;
  /** A streamed list that has not ended by then is given up for pages. */
  listLimitMs: number;
}> &
  RestartTimings;

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

const longestWorkMs = 10;
const initialEventsEnd = 'k8s.io/initial-events-end';

/** Ends a cycle because a fresh read was asked for. */
class RefreshAsked extends Error {}

/**
 * Keeps a sink equal to one collection of the API server, for ever: list, watch, resume, and list again when the
 * server no longer knows where to resume. The states are those of kube-rs' watcher (docs/adr has the reasons).
 */
export class Feed<T extends Projected> {
  private readonly options: FeedOptions<T>;
  private readonly path: string;
  private readonly restarts: RestartPolicy;
  private readonly firstList: Deferred<void> = deferred();
  private readonly seen = new SeenVersion();
  private readonly refreshes = new Set<Deferred<void>>();
  private mustList = true;
  private streamsLists = true;
  private interrupt: ((reason: Error) => void) | undefined;
  private fault: string | undefined;

  constructor(options: FeedOptions<T>) {
    this.options = options;
    this.path = resourcePath(options.type, { namespace: options.namespace });
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
    if (this.mustList || this.seen.get() === undefined) {
      if (this.streamsLists && (await this.listByStream(signal))) return;
      await this.listByPages(signal);
    }
    for await (const event of this.open({ resourceVersion: this.seen.get() }, signal)) this.take(event);
  }

  /** Lists and then watches on one stream. False when this server cannot, and nothing was changed. */
  private async listByStream(signal: AbortSignal): Promise<boolean> {
    const { listLimitMs } = this.options.timings;
    const link = linkedSignal([signal], { ms: listLimitMs, message: 'the streamed list did not end in time' });
    const items = new Map<string, T>();
    let listed = false;
    try {
      const query = { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' };
      for await (const event of this.open(query, link.signal)) {
        if (listed) this.take(event);
        else if (isInitialEnd(event)) {
          listed = true;
          link.clearLimit();
          this.replace(items, versionOf(event.object));
        } else if (event.type !== 'BOOKMARK') this.collect(items, event);
      }
    } catch (error) {
      if (listed || signal.aborted || !isStreamingRefused(error, link.timedOut())) throw error;
      this.streamsLists = false;
      this.options.log.info({ path: this.path, because: messageOf(error) }, 'no streamed lists here; reading pages');
      return false;
    } finally {
      link.dispose();
    }
    if (!listed) throw new WatchFault('network', { relist: true, message: 'the streamed list was cut short' });
    return true;
  }

  private async listByPages(signal: AbortSignal): Promise<void> {
    const { transport, type, namespace, labelSelector } = this.options;
    const items = new Map<string, T>();
    const collect = {
      take: (object: unknown) => this.collect(items, { type: 'ADDED', object: object as RawObject }),
      restart: () => items.clear(),
    };
    const version = await listInPages({ transport, type, scope: { namespace, labelSelector, signal } }, collect);
    if (signal.aborted) throw asError(signal.reason);
    this.replace(items, version);
  }

  private async *open(query: Record<string, string | undefined>, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const { transport, labelSelector, timings, random } = this.options;
    const { watchMinSeconds, watchMaxSeconds } = timings;
    const seconds = watchMinSeconds + random() * (watchMaxSeconds - watchMinSeconds);
    const chunks = await transport.stream({
      method: 'GET',
      path: this.path,
      query: {
        watch: '1',
        allowWatchBookmarks: 'true',
        timeoutSeconds: String(Math.ceil(seconds)),
        labelSelector,
        ...query,
      },
      signal,
    });
    let since = performance.now();
    for await (const event of readWatchEvents(this.path, chunks)) {
      // A long list arrives faster than it is read; others get their turn in between.
      if (performance.now() - since > longestWorkMs) {
        await setImmediate();
        since = performance.now();
      }
      // What was still buffered when the cycle was ended belongs to nobody.
      if (signal.aborted) throw asError(signal.reason);
      yield event;
    }
  }

  private collect(items: Map<string, T>, event: WatchEvent): void {
    const key = rawKey(event.object);
    const item =
      event.type === 'DELETED' ? undefined : (this.project(key, event.object) ?? this.options.sink.held(key));
    if (item) items.set(key, item);
    else items.delete(key);
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
    if (this.fault !== undefined) this.options.log.info({ path: this.path }, 'the watch is back');
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
    const fields = { path: this.path, reason, because, delayMs: Math.round(delayMs) };
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

/** Servers without streamed lists answer 400 or 422; with too old an etcd 200 and then an `ERROR` event of code 500. */
function isStreamingRefused(error: unknown, timedOut: boolean): boolean {
  return timedOut || (error instanceof KubeError && [400, 422, 500].includes(error.status));
}

const isInitialEnd = ({ type, object }: WatchEvent): boolean =>
  type === 'BOOKMARK' && object.metadata?.annotations?.[initialEventsEnd] === 'true';

const versionOf = (object: RawObject): string => object.metadata?.resourceVersion ?? '';

const rawKey = ({ metadata }: RawObject): string =>
  keyOf({ namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' });
