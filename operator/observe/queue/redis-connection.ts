import type { Redis } from 'ioredis';
import type { Millis } from '../../core/known.ts';
import type { RedisAccess } from '../../core/state.ts';
import { type BackoffOptions, halfJitter } from '../../kube/backoff.ts';
import { CLIENT_NAME, COMMAND_TIMEOUT_MS, CONNECT_TIMEOUT_MS, newRedisClient } from './redis-client.ts';
import { isForbidden, type RedisFailure, redisFailure } from './redis-trouble.ts';
import type { RedisTarget } from './redis-url.ts';

export type RedisAnswer<T> = Readonly<{ ok: true; value: T }> | RedisFailure;

/** How Redis was used last, and when. */
export type RedisUse = Readonly<{ access: RedisAccess; at: Millis }>;

export type ConnectionOptions = Readonly<{
  now: () => Millis;
  /** Limit of one command, and of the handshake. */
  commandTimeoutMs?: number;
}>;

/** Where a Redis is gone, it is tried again within 2 s of its return; a wrong password is not tried oftener than this. */
export const OUTAGE: BackoffOptions = { baseMs: 100, maxMs: 2_000 };
export const REFUSED: BackoffOptions = { baseMs: 1_000, maxMs: 30_000 };

/** Errors after which the connection itself is in doubt; a ReplyError is an answer and leaves it as it is. */
export const isAnswer = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError';

/** Where a Redis Cluster keeps the slot of the key that was asked for. */
type Moved = Readonly<{ host: string; port: number }>;

/** Hops that one use may take: a cluster that moves slots sends from one node to another, but not for ever. */
const MAX_HOPS = 3;

/** `MOVED 3999 10.0.0.7:6381`; a node that does not know its own address leaves the host out. */
function movedTo(error: unknown): Moved | undefined {
  const found = isAnswer(error) ? /^MOVED \d+ (.*):(\d+)$/.exec((error as Error).message) : null;
  return found === null ? undefined : { host: found[1] ?? '', port: Number(found[2]) };
}

class ConnectTimeout extends Error {
  readonly code = 'ETIMEDOUT';
}

/**
 * One connection to one Redis, made when it is first used. It fails fast: while the time of the next try has not come,
 * the last failure is the answer, so that any number of pools may ask a dead Redis at no cost to it.
 */
export class RedisConnection {
  readonly target: RedisTarget;
  readonly #options: ConnectionOptions;
  #client: Redis | undefined;
  #connecting: Promise<RedisAnswer<Redis>> | undefined;
  #failure: RedisFailure | undefined;
  #failures = 0;
  #retryAt: Millis = 0;
  #closed = false;
  #lastError: unknown;
  #commands = 0;
  #identified: { client: Redis; runId: string | undefined } | undefined;
  #usedAt: Millis | undefined;
  #checking: Promise<RedisUse> | undefined;
  /** The node of a cluster that has our keys; undefined while the one of the URL serves. */
  #node: RedisTarget | undefined;

  constructor(target: RedisTarget, options: ConnectionOptions) {
    this.target = target;
    this.#options = options;
  }

  /** How the last use ended; usable while nothing has been tried. */
  get access(): RedisAccess {
    return this.#failure ?? { ok: true };
  }

  /** Undefined before the first. */
  get lastUse(): RedisUse | undefined {
    return this.#usedAt === undefined ? undefined : { access: this.access, at: this.#usedAt };
  }

  /**
   * How a use of the connection that is at most so old ended; without one Redis is asked. All pools that share the
   * connection share the answer.
   */
  async check(maxAgeMs: Millis): Promise<RedisUse> {
    if (this.#usedAt !== undefined && this.#options.now() - this.#usedAt <= maxAgeMs) {
      return { access: this.access, at: this.#usedAt };
    }
    this.#checking ??= this.run((client) => client.ping())
      .then(() => ({ access: this.access, at: this.#options.now() }))
      .finally(() => {
        this.#checking = undefined;
      });
    return this.#checking;
  }

  /** The earliest time at which a failed connection is tried again. */
  get retryAt(): Millis {
    return this.#retryAt;
  }

  /**
   * What tells this server from every other, by whatever name it is reached: the id of its run. Undefined when it does not
   * say, or cannot be asked.
   */
  async identify(): Promise<string | undefined> {
    const answer = await this.run(async (client) => {
      if (this.#identified?.client !== client) this.#identified = { client, runId: await runIdOf(client) };
      return this.#identified.runId;
    });
    return answer.ok ? answer.value : undefined;
  }

  /** Commands that were sent since the last call, those of handshakes among them. */
  takeCommands(): number {
    const commands = this.#commands;
    this.#commands = 0;
    return commands;
  }

  /** Runs commands. An error that is Redis's answer to them, not a failure of the way to it, is classified too. */
  async run<T>(commands: (client: Redis) => Promise<T>, hops = 0): Promise<RedisAnswer<T>> {
    const connected = await this.#connect();
    if (!connected.ok) return connected;
    const client = connected.value;
    try {
      const value = await commands(client);
      this.#failure = undefined;
      this.#usedAt = this.#options.now();
      return { ok: true, value };
    } catch (error) {
      const moved = movedTo(error);
      if (moved !== undefined && hops < MAX_HOPS) {
        this.#follow(moved);
        return this.run(commands, hops + 1);
      }
      // A client that is gone rejects with "Connection is closed."; what its socket reported before says more.
      const failure = redisFailure(isAnswer(error) ? error : (this.#lastError ?? error), this.target.address);
      if (!isAnswer(error)) this.#drop(client);
      // A user that lacks a right, to PING for one, is answered all the same: the way is good.
      this.#failure = isAnswer(error) && isForbidden(error) ? undefined : failure;
      this.#usedAt = this.#options.now();
      return failure;
    }
  }

  /** Closes the connection for good. Commands in flight fail. */
  close(): void {
    this.#closed = true;
    this.#client?.disconnect();
    this.#client = undefined;
  }

  /** Closes the connection; the next use makes a new one at once. */
  reset(): void {
    this.#client?.disconnect();
    this.#client = undefined;
  }

  /** A node that does not answer any more is left again: the next try asks the one of the URL. */
  #follow({ host, port }: Moved): void {
    const from = this.#node ?? this.target;
    this.#node = { ...this.target, host: host === '' ? from.host : host, port };
    this.reset();
  }

  async #connect(): Promise<RedisAnswer<Redis>> {
    const client = this.#client;
    if (client?.status === 'ready') return { ok: true, value: client };
    if (this.#connecting) return this.#connecting;
    if (this.#closed) return this.#fail(new Error('the operator closed the connection'));
    if (this.#failure && this.#options.now() < this.#retryAt) return this.#failure;
    this.#connecting = this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #open(): Promise<RedisAnswer<Redis>> {
    this.#client?.disconnect();
    const client = newRedisClient(this.#node ?? this.target, this.#options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS);
    const send = client.sendCommand.bind(client);
    client.sendCommand = (...command) => {
      this.#commands += 1;
      return send(...command);
    };
    this.#client = client;
    this.#lastError = undefined;
    client.on('error', (error) => {
      this.#lastError = error;
    });
    try {
      await withinConnectTimeout(client);
    } catch (error) {
      this.#drop(client);
      this.#node = undefined;
      return this.#fail(this.#lastError ?? error);
    }
    this.#failures = 0;
    // Not part of the handshake: a proxy that closes after its refusal would leave ioredis waiting for this answer, and
    // the refusal unseen. A user without the right to CLIENT SETNAME works as well.
    client.client('SETNAME', CLIENT_NAME).catch(() => {});
    return { ok: true, value: client };
  }

  #drop(client: Redis): void {
    client.disconnect();
    if (this.#client === client) this.#client = undefined;
  }

  #fail(error: unknown): RedisFailure {
    const failure = redisFailure(error, this.target.address);
    const backoff = failure.trouble === 'RedisUnreachable' ? OUTAGE : REFUSED;
    this.#retryAt = this.#options.now() + halfJitter(this.#failures, backoff);
    this.#failures += 1;
    this.#usedAt = this.#options.now();
    this.#failure = failure;
    return failure;
  }
}

/** A user without the right to INFO can do all the rest. */
async function runIdOf(client: Redis): Promise<string | undefined> {
  try {
    return /^run_id:([0-9a-f]{40})\r?$/m.exec(await client.info('server'))?.[1];
  } catch (error) {
    if (!isAnswer(error)) throw error;
    return undefined;
  }
}

/** ioredis bounds the socket's connection only; a resolver or a handshake that hangs must end too. */
async function withinConnectTimeout(client: Redis): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConnectTimeout('connect timed out')), CONNECT_TIMEOUT_MS);
  });
  try {
    await Promise.race([client.connect(), limit]);
  } finally {
    clearTimeout(timer);
  }
}
