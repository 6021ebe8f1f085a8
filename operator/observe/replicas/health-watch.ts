import type { ReplicaHealth } from '../../core/health/replica-health.ts';
import { type Known, type Millis, unknown } from '../../core/known.ts';
import { Gate } from './gate.ts';
import type { HealthClient, HealthTarget } from './health-client.ts';

/** A way to a replica's health. */
export type HealthAsker = Pick<HealthClient, 'ask' | 'close'>;

export type HealthWatchOptions = Readonly<{
  client: HealthAsker;
  /** Something about a replica of the pool is new, or still not well: the pool is to be looked at. */
  onNews: (poolKey: string) => void;
  /** How late after its time a check began. */
  onLate?: (ms: Millis) => void;
  now: () => Millis;
  /** Checks under way at once, of all pools. */
  concurrency?: number;
}>;

export type HealthPace = Readonly<{ intervalMs: Millis; timeoutMs: Millis }>;

type Watched = {
  readonly poolKey: string;
  target: HealthTarget;
  pace: HealthPace;
  dueAt: Millis;
  timer: NodeJS.Timeout | undefined;
  reading: Known<ReplicaHealth>;
  /** Checks without an answer since it is watched; undefined after the first answer. */
  unanswered: number | undefined;
};

const CONCURRENCY = 256;
/** A process that has just begun does not listen yet: the first times it is asked again sooner. */
const FIRST_AGAIN_MS: Millis = 1000;

/**
 * Asks every replica for its health, each at its own times and apart from the passes: a replica that hangs delays no
 * other and no pass. A new one is asked at once.
 */
export class HealthWatch {
  readonly #options: HealthWatchOptions;
  readonly #gate: Gate;
  readonly #watched = new Map<string, Map<string, Watched>>();

  constructor(options: HealthWatchOptions) {
    this.#options = options;
    this.#gate = new Gate(options.concurrency ?? CONCURRENCY);
  }

  /** From now on these replicas are asked, and no others of the pool; what each said last. */
  follow(
    poolKey: string,
    targets: readonly HealthTarget[],
    pace: HealthPace,
  ): ReadonlyMap<string, Known<ReplicaHealth>> {
    const before = this.#watched.get(poolKey) ?? new Map<string, Watched>();
    const after = new Map(
      targets.map((target) => [target.uid, this.#keep(before.get(target.uid), { poolKey, target, pace })]),
    );
    for (const [uid, { timer }] of before) if (!after.has(uid)) clearTimeout(timer);
    this.#watched.set(poolKey, after);
    for (const watched of after.values()) if (watched.timer === undefined) this.#arm(watched);
    return new Map([...after].map(([uid, { reading }]) => [uid, reading]));
  }

  /**
   * Asks one replica that is followed, out of its turn: what it said last was not said for what is done to it now. One that
   * was silent when it was asked last is asked in its turn only, or it would delay each pass that wants to know.
   */
  async askNow(poolKey: string, uid: string): Promise<void> {
    const watched = this.#watched.get(poolKey)?.get(uid);
    if (watched === undefined || !watched.reading.ok) return;
    const answer = await this.#gate.run(() => this.#options.client.ask(watched.target, watched.pace.timeoutMs));
    if (this.#isWatched(watched)) watched.reading = answer;
  }

  forget(poolKey: string): void {
    for (const { timer } of this.#watched.get(poolKey)?.values() ?? []) clearTimeout(timer);
    this.#watched.delete(poolKey);
  }

  async close(): Promise<void> {
    for (const poolKey of this.#watched.keys()) this.forget(poolKey);
    await this.#options.client.close();
  }

  #keep(old: Watched | undefined, next: Pick<Watched, 'poolKey' | 'target' | 'pace'>): Watched {
    if (old !== undefined) return this.#follow(Object.assign(old, next));
    const reading = unknown('it was not asked for its health yet');
    return { ...next, dueAt: this.#options.now(), timer: undefined, reading, unanswered: 0 };
  }

  /** A pace that became shorter holds at once; the phase stays, so that not all are asked in the same moment. */
  #follow(watched: Watched): Watched {
    const { intervalMs } = watched.pace;
    const early = Math.ceil((watched.dueAt - this.#options.now()) / intervalMs) - 1;
    if (early < 1) return watched;
    clearTimeout(watched.timer);
    watched.timer = undefined;
    watched.dueAt -= early * intervalMs;
    return watched;
  }

  #isWatched = (watched: Watched): boolean => this.#watched.get(watched.poolKey)?.get(watched.target.uid) === watched;

  #arm(watched: Watched): void {
    watched.timer = setTimeout(() => void this.#check(watched), Math.max(0, watched.dueAt - this.#options.now()));
  }

  async #check(watched: Watched): Promise<void> {
    this.#options.onLate?.(Math.max(0, this.#options.now() - watched.dueAt));
    const answer = await this.#gate.run(() => this.#options.client.ask(watched.target, watched.pace.timeoutMs));
    if (!this.#isWatched(watched)) return;
    const before = watched.reading;
    watched.reading = answer;
    // Each has its own phase, that of its first check; one that was late does not make the next ones late.
    const intervalMs = nextAfter(watched, answer);
    const now = this.#options.now();
    watched.dueAt += Math.max(1, Math.ceil((now - watched.dueAt) / intervalMs)) * intervalMs;
    this.#arm(watched);
    if (!isWell(answer) || summary(before) !== summary(answer)) this.#options.onNews(watched.poolKey);
  }
}

function nextAfter(watched: Watched, answer: Known<ReplicaHealth>): Millis {
  const { intervalMs } = watched.pace;
  if (answer.ok || watched.unanswered === undefined) {
    watched.unanswered = undefined;
    return intervalMs;
  }
  const again = FIRST_AGAIN_MS * 2 ** watched.unanswered;
  watched.unanswered += 1;
  return Math.min(again, intervalMs);
}

/** Each failed check counts; silence counts once. */
const isWell = (reading: Known<ReplicaHealth>): boolean =>
  !reading.ok || [reading.value.redis, reading.value.supabase].every((check) => !check.ok || check.value.ok);

/** What a pass decides by; numbers of jobs and times come with the next one. */
function summary(reading: Known<ReplicaHealth>): string {
  if (!reading.ok) return reading.because;
  const { work, redis, supabase } = reading.value;
  const { processStart, cordoned, held, stopping, active, hasFinished } = work;
  const checks = [redis, supabase].map((check) => (check.ok ? check.value : check.because));
  return JSON.stringify([processStart, cordoned, held, stopping, active === 0, hasFinished, checks]);
}
