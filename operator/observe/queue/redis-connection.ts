import type { Redis } from 'ioredis';
import type { Millis } from '../../core/known.ts';
import type { RedisAccess } from '../../core/state.ts';
import { type BackoffOptions, halfJitter } from '../../kube/backoff.ts';
import { CLIENT_NAME, COMMAND_TIMEOUT_MS, CONNECT_TIMEOUT_MS, newRedisClient } from './redis-client.ts';
import { type RedisFailure, redisFailure } from './redis-trouble.ts';
import type { RedisTarget } from './redis-url.ts';

export type RedisAnswer<T> = Readonly<{ ok: true; value: T }> | RedisFailure;

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

  constructor(target: RedisTarget, options: ConnectionOptions) {
    this.target = target;
    this.#options = options;
  }

  /** How the last use ended; usable while nothing has been tried. */
  get access(): RedisAccess {
    return this.#failure ?? { ok: true };
  }

  /** The earliest time at which a failed connection is tried again. */
  get retryAt(): Millis {
    return this.#retryAt;
  }

  /** Runs commands. An error that is Redis's answer to them, not a failure of the way to it, is classified too. */
  async run<T>(commands: (client: Redis) => Promise<T>): Promise<RedisAnswer<T>> {
    const connected = await this.#connect();
    if (!connected.ok) return connected;
    const client = connected.value;
    try {
      const value = await commands(client);
      this.#failure = undefined;
      return { ok: true, value };
    } catch (error) {
      // A client that is gone rejects with "Connection is closed."; what its socket reported before says more.
      const failure = redisFailure(isAnswer(error) ? error : (this.#lastError ?? error), this.target.address);
      if (!isAnswer(error)) this.#drop(client);
      this.#failure = failure;
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
    const client = newRedisClient(this.target, this.#options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS);
    this.#client = client;
    this.#lastError = undefined;
    client.on('error', (error) => {
      this.#lastError = error;
    });
    try {
      await withinConnectTimeout(client);
    } catch (error) {
      this.#drop(client);
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
    this.#failure = failure;
    return failure;
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
