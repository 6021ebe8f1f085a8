import { setImmediate } from 'node:timers/promises';
import { KubeError } from './errors.ts';
import { listInPages } from './list.ts';
import { type Logger, messageOf } from './log.ts';
import { keyOf, type ResourceType, resourcePath } from './resources.ts';
import type { KubeTransport } from './transport.ts';
import { asError, linkedSignal } from './wait.ts';
import { type RawObject, readWatchEvents, type WatchEvent, WatchFault } from './watch-events.ts';

export type ReadTimings = Readonly<{
  /** The server ends a watch after a random time between these; then it is resumed. */
  watchMinSeconds: number;
  watchMaxSeconds: number;
  /** A streamed list that has not ended by then is given up for pages. */
  listLimitMs: number;
}>;

export type CollectionOptions<T> = Readonly<{
  transport: KubeTransport;
  type: ResourceType;
  namespace: string | undefined;
  labelSelector: string | undefined;
  /** What is kept of an object of a list; undefined: nothing. */
  keep: (key: string, object: RawObject) => T | undefined;
  log: Logger;
  timings: ReadTimings;
  random: () => number;
}>;

/** `whole`: everything that there was at `version`; then each change. */
export type News<T> =
  | Readonly<{ kind: 'whole'; items: ReadonlyMap<string, T>; version: string }>
  | Readonly<{ kind: 'event'; event: WatchEvent }>;

const longestWorkMs = 10;
const initialEventsEnd = 'k8s.io/initial-events-end';

/** One collection of the API server, read as a list that goes on as a watch: streamed where the server can, else in pages. */
export class Collection<T> {
  readonly path: string;
  private readonly options: CollectionOptions<T>;
  private streamsLists = true;

  constructor(options: CollectionOptions<T>) {
    this.options = options;
    this.path = resourcePath(options.type, { namespace: options.namespace });
  }

  /** What changes after `version`; without one, first everything that there is. Ends when the server ends the watch. */
  async *read(version: string | undefined, signal: AbortSignal): AsyncGenerator<News<T>, void> {
    let from = version;
    if (from === undefined) {
      if (this.streamsLists && (yield* this.readStream(signal))) return;
      const whole = await this.listByPages(signal);
      from = whole.version;
      yield whole;
    }
    for await (const event of this.open({ resourceVersion: from }, signal)) yield { kind: 'event', event };
  }

  /** Lists and then watches on one stream. False when this server cannot, and nothing was told. */
  private async *readStream(signal: AbortSignal): AsyncGenerator<News<T>, boolean> {
    const { listLimitMs } = this.options.timings;
    const link = linkedSignal([signal], { ms: listLimitMs, message: 'the streamed list did not end in time' });
    const items = new Map<string, T>();
    let listed = false;
    try {
      const query = { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' };
      for await (const event of this.open(query, link.signal)) {
        if (listed) yield { kind: 'event', event };
        else if (isInitialEnd(event)) {
          listed = true;
          link.clearLimit();
          yield { kind: 'whole', items, version: versionOf(event.object) };
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

  private async listByPages(signal: AbortSignal): Promise<News<T> & { kind: 'whole' }> {
    const { transport, type, namespace, labelSelector } = this.options;
    const items = new Map<string, T>();
    const take = (object: unknown) => this.collect(items, { type: 'ADDED', object: object as RawObject });
    const scope = { namespace, labelSelector, signal };
    const version = await listInPages({ transport, type, scope }, { take, restart: () => items.clear() });
    if (signal.aborted) throw asError(signal.reason);
    return { kind: 'whole', items, version };
  }

  private collect(items: Map<string, T>, { type, object }: WatchEvent): void {
    const key = rawKey(object);
    const item = type === 'DELETED' ? undefined : this.options.keep(key, object);
    if (item) items.set(key, item);
    else items.delete(key);
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
}

/** Servers without streamed lists answer 400 or 422; with too old an etcd 200 and then an `ERROR` event of code 500. */
function isStreamingRefused(error: unknown, timedOut: boolean): boolean {
  return timedOut || (error instanceof KubeError && [400, 422, 500].includes(error.status));
}

const isInitialEnd = ({ type, object }: WatchEvent): boolean =>
  type === 'BOOKMARK' && object.metadata?.annotations?.[initialEventsEnd] === 'true';

export const versionOf = (object: RawObject): string => object.metadata?.resourceVersion ?? '';

export const rawKey = ({ metadata }: RawObject): string =>
  keyOf({ namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' });
