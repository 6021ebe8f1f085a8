/** One event and its repetitions. `stored` is what the API server knows of it. */
export type SeriesEntry = {
  readonly key: string;
  readonly event: EventInput;
  count: number;
  writtenCount: number;
  lastSeen: number;
  lastWritten: number;
  stored?: Readonly<{ namespace: string; name: string; resourceVersion: string }>;
};

/** A repetition after a longer pause is a new event, as in client-go and kube-rs. */
const seriesEndsAfterMs = 360_000;
/** The first repetition is written at once, later ones together. */
const writtenEveryMs = 60_000;
const rememberedSeries = 5_000;

/**
 * Counts events that are equal in everything, note included: the API server lets only the series of an event change.
 */
export class EventSeries {
  private readonly entries = new Map<string, SeriesEntry>();
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  observe(event: EventInput): SeriesEntry {
    const key = keyFor(event);
    const now = this.now();
    const known = this.entries.get(key);
    this.entries.delete(key);
    const goesOn = known && now - known.lastSeen < seriesEndsAfterMs;
    const entry = goesOn ? known : { key, event, count: 0, writtenCount: 0, lastSeen: now, lastWritten: now };
    entry.count += 1;
    entry.lastSeen = now;
    this.entries.set(key, entry);
    this.prune(now);
    return entry;
  }

  /** Whether it should be written now: when new, repeated for the first time, or repeated and not written for a minute. */
  isDue(entry: SeriesEntry): boolean {
    if (entry.count <= entry.writtenCount) return false;
    return entry.writtenCount <= 1 || this.now() - entry.lastWritten >= writtenEveryMs;
  }

  written(entry: SeriesEntry, count: number): void {
    entry.writtenCount = count;
    entry.lastWritten = this.now();
  }

  /** The next one like it is a new event. */
  forget(entry: SeriesEntry): void {
    if (this.entries.get(entry.key) === entry) this.entries.delete(entry.key);
  }

  /** Entries lie in the order in which they were seen last. */
  private prune(now: number): void {
    for (const [key, entry] of this.entries) {
      const isOver = now - entry.lastSeen >= seriesEndsAfterMs;
      if (!isOver && this.entries.size <= rememberedSeries) break;
      this.entries.delete(key);
    }
  }
}

const keyFor = ({ regarding, type, reason, action, note }: EventInput): string =>
  [regarding.kind, regarding.uid, type, reason, action, note].join('\n');
import type { EventInput } from './event-input.ts';
