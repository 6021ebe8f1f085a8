import type { Redis } from 'ioredis';
import type { Millis } from '../../core/known.ts';
import { halfJitter } from '../../kube/backoff.ts';
import { type Logger, messageOf } from '../../kube/log.ts';
import { type Deferred, deferred, sleep } from '../../kube/wait.ts';
import { BlockedRead } from './blocked-read.ts';
import { Pacing, type PacingOptions } from './pacing.ts';
import { OUTAGE, type RedisAnswer, RedisConnection, REFUSED } from './redis-connection.ts';
import { covers, type Watch, WatchSet } from './watch-set.ts';

export type BlockingReaderOptions = Readonly<{
  now: () => Millis;
  onWake: (poolKey: string) => void;
  logger: Logger;
  /** Called with the pools that commands were sent for. */
  onCommands: (poolKeys: readonly string[], commands: number) => void;
  /** How long a pool is left out after its event; absent: not at all. */
  pacing?: PacingOptions;
  /** How long one read blocks; a connection that says nothing 2 s later is dead. */
  blockMs?: number;
}>;

const BLOCK_MS = 10_000;
const DEAD_AFTER_MS = 2_000;

/** Streams with the id of their first entry behind the tip. */
type Entries = ReadonlyMap<string, string>;

/** One endless XREAD over the streams of the pools that are watched, on a connection of its own. */
export class BlockingReader {
  readonly #options: BlockingReaderOptions;
  readonly #blockMs: number;
  readonly #connection: RedisConnection;
  readonly #blocked: BlockedRead;
  readonly #set = new WatchSet();
  readonly #closing = new AbortController();
  #running = false;
  #changed: Deferred<void> | undefined;
  /** Events may have passed unseen: all pools are woken as soon as Redis answers again. */
  #missed = false;
  #failures = 0;
  readonly #pacing: Pacing | undefined;

  constructor(commands: RedisConnection, options: BlockingReaderOptions) {
    this.#options = options;
    this.#blockMs = options.blockMs ?? BLOCK_MS;
    this.#connection = new RedisConnection(commands.target, {
      now: options.now,
      commandTimeoutMs: this.#blockMs + DEAD_AFTER_MS,
    });
    this.#blocked = new BlockedRead(commands, this.#connection);
    this.#pacing = options.pacing === undefined ? undefined : new Pacing(options.pacing);
  }

  /** Where the pool waits from; undefined when it does not wait here. */
  watchOf(poolKey: string): Watch | undefined {
    return this.#set.get(poolKey);
  }

  restsForMs(poolKey: string): Millis {
    return this.#set.restsForMs(poolKey, this.#options.now());
  }

  watch(watch: Watch): void {
    if (this.#closing.signal.aborted) return;
    this.#set.set(watch);
    this.#changed?.resolve();
    if (!this.#running) void this.#loop();
    else if (!this.#blocked.hears(watch.stream, watch.tip)) {
      this.#blocked.interruptUnless((blocked) => covers(blocked, this.#set.streams(this.#options.now())));
    }
  }

  /** A read under way may still hear of the pool; nobody is woken for it. */
  unwatch(poolKey: string): void {
    if (this.#set.delete(poolKey)) this.#changed?.resolve();
  }

  rest(poolKey: string, ms: number): void {
    this.#set.rest(poolKey, this.#options.now() + ms);
  }

  forgetRest(poolKey: string): void {
    this.#set.forgetRest(poolKey);
    this.#pacing?.forget(poolKey);
  }

  close(): void {
    this.#closing.abort(new Error('the waker is closed'));
    this.#set.takeAll();
    this.#changed?.resolve();
    this.#connection.close();
  }

  /** Runs while a pool is watched, and ends when none is. */
  async #loop(): Promise<void> {
    this.#running = true;
    try {
      while (this.#set.size > 0) await this.#turn();
    } catch (error) {
      // The only way out of a turn is the abort of its sleep; anything else is a defect worth a line and a new start.
      if (!this.#closing.signal.aborted) this.#options.logger.error({ err: messageOf(error) }, 'waker stopped');
    } finally {
      this.#running = false;
    }
  }

  async #turn(): Promise<void> {
    if (this.#set.streams(this.#options.now()).size === 0) return this.#untilChanged();
    const answer = await this.#connection.run((client) => (this.#missed ? this.#peek(client) : this.#block(client)));
    if (this.#closing.signal.aborted) return;
    if (!answer.ok) this.#options.onCommands(this.#set.keys(), this.#connection.takeCommands());
    if (answer.ok) this.#succeed(answer.value);
    else if (!this.#blocked.takeReset()) await this.#fail(answer);
  }

  /** All watched pools rest, or none is watched any more. */
  async #untilChanged(): Promise<void> {
    const now = this.#options.now();
    const next = this.#set.nextWakeUp(now);
    if (next === undefined) return;
    this.#changed = deferred();
    const timer = setTimeout(this.#changed.resolve, next - now);
    await this.#changed.promise;
    clearTimeout(timer);
    this.#changed = undefined;
  }

  async #block(client: Redis): Promise<Entries> {
    await this.#blocked.identify(client);
    // Read after the last await: what is watched later sees this read as blocked and interrupts it.
    const now = this.#options.now();
    const streams = this.#set.streams(now);
    if (streams.size === 0) return new Map();
    const block = Math.max(1, Math.min(this.#blockMs, (this.#set.nextWakeUp(now) ?? Infinity) - now));
    const from = ['STREAMS', ...streams.keys(), ...streams.values()] as const;
    return this.#blocked.during(streams, async () =>
      entriesOf(await client.xread('COUNT', 1, 'BLOCK', Math.ceil(block), ...from)),
    );
  }

  /** Proves that the streams can be read again, without blocking, before everybody is sent to look. */
  async #peek(client: Redis): Promise<Entries> {
    const streams = this.#set.streams(this.#options.now());
    if (streams.size > 0) await client.xread('COUNT', 1, 'STREAMS', ...streams.keys(), ...streams.values());
    return new Map();
  }

  #succeed(entries: Entries): void {
    const now = this.#options.now();
    const woken = this.#missed ? this.#set.takeAll() : this.#set.take(entries, now);
    if (this.#missed) this.#options.logger.info({ redis: this.#connection.target.address }, 'waking works again');
    this.#missed = false;
    this.#failures = 0;
    this.#blocked.takeReset();
    // What nobody was woken by, a read that ended without news, is the cost of all who wait.
    this.#options.onCommands(woken.length > 0 ? woken : this.#set.keys(), this.#connection.takeCommands());
    for (const poolKey of woken) {
      if (this.#pacing !== undefined) this.#set.rest(poolKey, this.#pacing.pauseUntil(poolKey, now));
      this.#options.onWake(poolKey);
    }
  }

  async #fail(answer: Extract<RedisAnswer<Entries>, { ok: false }>): Promise<void> {
    if (!this.#missed) this.#options.logger.warn({ because: answer.because }, 'waking by events is out');
    this.#missed = true;
    const own = halfJitter(this.#failures, answer.trouble === 'RedisUnreachable' ? OUTAGE : REFUSED);
    this.#failures += 1;
    await sleep(Math.max(own, this.#connection.retryAt - this.#options.now()), this.#closing.signal);
  }
}

const entriesOf = (reply: Awaited<ReturnType<Redis['xread']>>): Entries =>
  new Map((reply ?? []).flatMap(([stream, [first]]) => (first ? [[stream, first[0]] as const] : [])));
