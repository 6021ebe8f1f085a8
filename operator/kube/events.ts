import { randomBytes } from 'node:crypto';
import type { KubeClient } from './client.ts';
import type { EventInput } from './event-input.ts';
import { EventSeries, type SeriesEntry } from './event-series.ts';
import { microTime } from './lease-record.ts';
import { type Logger, messageOf } from './log.ts';
import type { KubeMetrics } from './metrics.ts';
import { createTokenBucket, type RateLimit, type TokenBucket } from './rate-limit.ts';
import { events } from './resources.ts';
import { settledWithin, sleep } from './wait.ts';

export type EventRecorderOptions = Readonly<{
  client: Pick<KubeClient, 'create' | 'mergePatch'>;
  /** `reportingController`, such as `example.dev/operator`. */
  controller: string;
  /** `reportingInstance`: this process. */
  instance: string;
  log: Logger;
  metrics?: KubeMetrics;
  /** For each object; 25 at once, then one in five minutes. */
  perObject?: RateLimit;
  /** Events that may wait to be sent; 5000. */
  queueSize?: number;
  /** While it says so, others of this process need the API server more: events wait. */
  crowded?: () => boolean;
  now?: () => number;
}>;

export type EventRecorder = Readonly<{
  /** Never throws and never waits. An event that is one too many for its object or the queue is counted and dropped. */
  record(event: EventInput): void;
  /** Sends what waits, for at most `graceMs` (1 s); takes nothing more. */
  stop(graceMs?: number): Promise<void>;
}>;

/** Records events.k8s.io/v1 events. No failure of one reaches the caller. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new QueueingRecorder(options);
}

type Outcome = 'sent' | 'failed' | 'throttled' | 'dropped';
const outcomes: readonly Outcome[] = ['sent', 'failed', 'throttled', 'dropped'];
const rememberedObjects = 5_000;
const crowdLookMs = 100;

class QueueingRecorder implements EventRecorder {
  private readonly options: EventRecorderOptions;
  private readonly now: () => number;
  private readonly series: EventSeries;
  private readonly buckets = new Map<string, TokenBucket>();
  private readonly waiting = new Set<SeriesEntry>();
  private sending: Promise<void> | undefined;
  private stopped = false;

  constructor(options: EventRecorderOptions) {
    this.options = options;
    this.now = options.now ?? (() => performance.now());
    this.series = new EventSeries(this.now);
    for (const outcome of outcomes) options.metrics?.eventsSent.inc({ outcome }, 0);
  }

  record(event: EventInput): void {
    if (this.stopped) return;
    const entry = this.series.observe({ ...event, note: cutBytes(event.note, 1024) });
    if (!this.series.isDue(entry) || this.waiting.has(entry)) return;
    if (!this.bucketFor(event.regarding.uid).tryTake()) return this.count('throttled');
    if (this.waiting.size >= (this.options.queueSize ?? 5_000)) return this.count('dropped');
    this.waiting.add(entry);
    this.sending ??= this.sendAll();
  }

  async stop(graceMs = 1_000): Promise<void> {
    this.stopped = true;
    await settledWithin(this.sending ?? Promise.resolve(), graceMs);
    this.waiting.clear();
  }

  private async sendAll(): Promise<void> {
    // The pass that records goes first; its own calls to the API server matter more.
    await sleep(0);
    for (const entry of this.waiting) {
      while (!this.stopped && this.options.crowded?.() === true) await sleep(crowdLookMs);
      this.waiting.delete(entry);
      try {
        await this.send(entry);
        this.count('sent');
      } catch (error) {
        this.series.forget(entry);
        this.count('failed');
        const { reason, regarding } = entry.event;
        this.options.log.warn(
          { reason, regarding: regarding.name, because: messageOf(error) },
          'an event was not sent',
        );
      }
    }
    this.sending = undefined;
  }

  private async send(entry: SeriesEntry): Promise<void> {
    const { client, controller, instance } = this.options;
    const { regarding, type, reason, action, note } = entry.event;
    const time = microTime(new Date());
    const count = entry.count;
    if (entry.stored) {
      const body = { metadata: entry.stored, series: { count, lastObservedTime: time } };
      entry.stored = metadataOf(await client.mergePatch<Stored>(events, body));
    } else {
      const { namespace, name } = regarding;
      const unique = randomBytes(8).toString('hex');
      const metadata = { namespace, name: `${name.slice(0, 236)}.${unique}` };
      const reporting = { reportingController: controller, reportingInstance: instance.slice(0, 128) };
      const body = { metadata, eventTime: time, regarding, type, reason, action, note, ...reporting };
      entry.stored = metadataOf(await client.create<Stored>(events, body));
    }
    this.series.written(entry, count);
  }

  private bucketFor(uid: string): TokenBucket {
    const known = this.buckets.get(uid);
    const bucket = known ?? createTokenBucket(this.options.perObject ?? { perSecond: 1 / 300, burst: 25 }, this.now);
    this.buckets.delete(uid);
    this.buckets.set(uid, bucket);
    const oldest = this.buckets.size > rememberedObjects ? this.buckets.keys().next() : undefined;
    if (oldest && !oldest.done) this.buckets.delete(oldest.value);
    return bucket;
  }

  private count(outcome: Outcome): void {
    this.options.metrics?.eventsSent.inc({ outcome });
  }
}

type Stored = Readonly<{ metadata: Readonly<{ namespace: string; name: string; resourceVersion: string }> }>;

const metadataOf = ({ metadata: { namespace, name, resourceVersion } }: Stored) => ({
  namespace,
  name,
  resourceVersion,
});

/** Cuts at a whole character: the API server counts bytes. */
function cutBytes(text: string, limit: number): string {
  if (Buffer.byteLength(text) <= limit) return text;
  const bytes = Buffer.from(text).subarray(0, limit - 3);
  return `${bytes.toString('utf8').replace(/�+$/, '')}…`;
}
