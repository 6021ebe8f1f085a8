import type { Redis } from 'ioredis';
import { sleep } from '../../kube/wait.ts';
import { isAnswer, type RedisConnection } from './redis-connection.ts';
import { covers, type Streams } from './watch-set.ts';

/** The read can be on its way to Redis while the interruption arrives by the other connection; so it is sent again. */
const TRIES = 20;
const TRY_AGAIN_MS = 5;

type Unblocked = 'done' | 'notBlocked' | 'refused';

/** A refusal (no right to CLIENT UNBLOCK) is an answer here: it says nothing of the way to Redis. */
async function unblock(client: Redis, id: number): Promise<Unblocked> {
  try {
    return (await client.client('UNBLOCK', id)) === 1 ? 'done' : 'notBlocked';
  } catch (error) {
    if (!isAnswer(error)) throw error;
    return 'refused';
  }
}

/**
 * The read that a connection is blocked in, and the way to end it before its time: CLIENT UNBLOCK from the connection
 * that serves commands, or, where Redis refuses that, a new connection.
 */
export class BlockedRead {
  readonly #commands: RedisConnection;
  readonly #connection: RedisConnection;
  #client: Redis | undefined;
  /** Redis's id of the blocked connection; undefined where the user may not ask for it. */
  #id: number | undefined;
  #streams: Streams | undefined;
  #interrupting = false;
  #wasReset = false;

  constructor(commands: RedisConnection, connection: RedisConnection) {
    this.#commands = commands;
    this.#connection = connection;
  }

  /** To be called before a read: learns the id of a connection that is new. */
  async identify(client: Redis): Promise<void> {
    if (this.#client === client) return;
    this.#client = client;
    this.#id = undefined;
    try {
      this.#id = await client.client('ID');
    } catch (error) {
      if (!isAnswer(error)) throw error;
    }
  }

  /** Marks the connection as blocked on `streams` until `read` ends. */
  async during<T>(streams: Streams, read: () => Promise<T>): Promise<T> {
    this.#streams = streams;
    try {
      return await read();
    } finally {
      this.#streams = undefined;
    }
  }

  /** True when the read that is under way hears of this stream from there on, or none is. Cheaper than to compare all. */
  hears(stream: string, tip: string): boolean {
    return this.#streams === undefined || covers(this.#streams, new Map([[stream, tip]]));
  }

  /** Ends the read that is under way unless `isEnough` says that it may go on. Many calls in one turn are one. */
  interruptUnless(isEnough: (blocked: Streams) => boolean): void {
    if (this.#interrupting || !this.#streams || isEnough(this.#streams)) return;
    this.#interrupting = true;
    setImmediate(() => void this.#interrupt(isEnough));
  }

  /** True once after the connection was given up here, so that its end is not taken for an outage. */
  takeReset(): boolean {
    const was = this.#wasReset;
    this.#wasReset = false;
    return was;
  }

  async #interrupt(isEnough: (blocked: Streams) => boolean): Promise<void> {
    for (let tries = 1; this.#streams && !isEnough(this.#streams); tries += 1) {
      const unblocked = tries <= TRIES ? await this.#unblock() : 'refused';
      if (unblocked === 'refused') this.#giveUp();
      else await sleep(unblocked === 'done' ? 0 : TRY_AGAIN_MS);
    }
    this.#interrupting = false;
  }

  async #unblock(): Promise<Unblocked> {
    const id = this.#id;
    if (id === undefined) return 'refused';
    const answer = await this.#commands.run((client) => unblock(client, id));
    return answer.ok ? answer.value : 'refused';
  }

  #giveUp(): void {
    if (!this.#streams) return;
    this.#streams = undefined;
    this.#wasReset = true;
    this.#connection.reset();
  }
}
