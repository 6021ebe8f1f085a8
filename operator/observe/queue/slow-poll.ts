import type { Millis } from '../../core/known.ts';
import { MAX_QUEUES_A_SCRIPT } from './depth-script.ts';
import type { QueueName } from './depth.ts';

/** The longest that a job can stay unseen when every event was lost. */
const PERIOD_MS: Millis = 30_000;
/** The golden ratio spreads any number of groups over the period. */
const SPREAD = 0.618_033_988_75;

export type Sleeper = Readonly<{ poolKey: string; queue: QueueName }>;

/** `looks`: it is looked at in a pass of its own each time; `compared`: only another reading is news of it. */
export type SleepKind = 'awake' | 'looks' | 'compared';

type Group = { index: number; members: Map<string, { queue: QueueName; kind: SleepKind }>; timer?: NodeJS.Timeout };

export type SlowPollOptions = Readonly<{
  now: () => Millis;
  /** It is the time of these pools, whose reading is to be compared with the last. */
  onDue: (sleepers: readonly Sleeper[]) => void;
}>;

/**
 * When the pools of one Redis that wait for an event are looked at all the same, in case one was lost. Pools look
 * together, in groups of as many as one script reads: a hundred sleeping pools cost one command in half a minute.
 */
export class SlowPoll {
  readonly #options: SlowPollOptions;
  readonly #groups: Group[] = [];
  readonly #groupOf = new Map<string, Group>();

  constructor(options: SlowPollOptions) {
    this.#options = options;
  }

  join(poolKey: string, queue: QueueName): void {
    const group = this.#groupOf.get(poolKey) ?? this.#withRoom();
    this.#groupOf.set(poolKey, group);
    group.members.set(poolKey, { queue, kind: group.members.get(poolKey)?.kind ?? 'awake' });
  }

  leave(poolKey: string): void {
    this.#groupOf.get(poolKey)?.members.delete(poolKey);
    this.#groupOf.delete(poolKey);
  }

  /** Asleep: the pool waits for an event of its queue, and needs to be looked at in the slow poll only. */
  setSleep(poolKey: string, kind: SleepKind): void {
    const group = this.#groupOf.get(poolKey);
    const member = group?.members.get(poolKey);
    if (group === undefined || member === undefined) return;
    member.kind = kind;
    if (kind === 'compared') this.#arm(group);
  }

  sleepOf(poolKey: string): SleepKind {
    return this.#groupOf.get(poolKey)?.members.get(poolKey)?.kind ?? 'awake';
  }

  /** The other sleeping pools that are looked at together with this one. */
  companionsOf(poolKey: string): readonly Sleeper[] {
    const asleep = membersOf(this.#groupOf.get(poolKey), ['looks', 'compared']);
    return asleep.filter((member) => member.poolKey !== poolKey);
  }

  /** Time until the pool's group looks next. */
  inMs(poolKey: string, now: Millis): Millis {
    return nextOf(this.#groupOf.get(poolKey), now);
  }

  close(): void {
    for (const group of this.#groups) clearTimeout(group.timer);
  }

  /** Until none is compared any more. */
  #arm(group: Group): void {
    group.timer ??= setTimeout(
      () => {
        delete group.timer;
        const due = membersOf(group, ['compared']);
        if (due.length === 0) return;
        this.#arm(group);
        this.#options.onDue(due);
      },
      Math.ceil(nextOf(group, this.#options.now())),
    );
  }

  #withRoom(): Group {
    const found = this.#groups.find(({ members }) => members.size < MAX_QUEUES_A_SCRIPT);
    if (found !== undefined) return found;
    const group: Group = { index: this.#groups.length, members: new Map() };
    this.#groups.push(group);
    return group;
  }
}

function nextOf(group: Group | undefined, now: Millis): Millis {
  const phase = (((group?.index ?? 0) * SPREAD) % 1) * PERIOD_MS;
  return PERIOD_MS - ((now + PERIOD_MS - phase) % PERIOD_MS);
}

const membersOf = (group: Group | undefined, kinds: readonly SleepKind[]): readonly Sleeper[] =>
  [...(group?.members ?? [])].flatMap(([poolKey, { queue, kind }]) =>
    kinds.includes(kind) ? [{ poolKey, queue }] : [],
  );
