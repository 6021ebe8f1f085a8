import type { Millis } from '../../core/known.ts';
import { MAX_QUEUES_A_SCRIPT } from './depth-script.ts';
import type { QueueName } from './depth.ts';

/** The longest that a job can stay unseen when every event was lost. */
const PERIOD_MS: Millis = 30_000;
/** The golden ratio spreads any number of groups over the period. */
const SPREAD = 0.618_033_988_75;

export type Sleeper = Readonly<{ poolKey: string; queue: QueueName }>;

type Group = { index: number; members: Map<string, { queue: QueueName; asleep: boolean }> };

/**
 * When the pools of one Redis that wait for an event are looked at all the same, in case one was lost. Pools look
 * together, in groups of as many as one script reads: a hundred sleeping pools cost one command in half a minute.
 */
export class SlowPoll {
  readonly #groups: Group[] = [];
  readonly #groupOf = new Map<string, Group>();

  join(poolKey: string, queue: QueueName): void {
    const group = this.#groupOf.get(poolKey) ?? this.#withRoom();
    this.#groupOf.set(poolKey, group);
    group.members.set(poolKey, { queue, asleep: group.members.get(poolKey)?.asleep ?? false });
  }

  leave(poolKey: string): void {
    this.#groupOf.get(poolKey)?.members.delete(poolKey);
    this.#groupOf.delete(poolKey);
  }

  /** Asleep: the pool waits for an event of its queue, and needs to be looked at in the slow poll only. */
  setAsleep(poolKey: string, asleep: boolean): void {
    const member = this.#groupOf.get(poolKey)?.members.get(poolKey);
    if (member !== undefined) member.asleep = asleep;
  }

  isAsleep(poolKey: string): boolean {
    return this.#groupOf.get(poolKey)?.members.get(poolKey)?.asleep ?? false;
  }

  /** The other sleeping pools that are looked at together with this one. */
  companionsOf(poolKey: string): readonly Sleeper[] {
    return [...(this.#groupOf.get(poolKey)?.members ?? [])].flatMap(([key, { queue, asleep }]) =>
      asleep && key !== poolKey ? [{ poolKey: key, queue }] : [],
    );
  }

  /** Time until the pool's group looks next. */
  inMs(poolKey: string, now: Millis): Millis {
    const phase = (((this.#groupOf.get(poolKey)?.index ?? 0) * SPREAD) % 1) * PERIOD_MS;
    return PERIOD_MS - ((now + PERIOD_MS - phase) % PERIOD_MS);
  }

  #withRoom(): Group {
    const found = this.#groups.find(({ members }) => members.size < MAX_QUEUES_A_SCRIPT);
    if (found !== undefined) return found;
    const group: Group = { index: this.#groups.length, members: new Map() };
    this.#groups.push(group);
    return group;
  }
}
