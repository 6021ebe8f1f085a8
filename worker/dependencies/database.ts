import { Client, DatabaseError } from 'pg';
import { describeError } from '../log.ts';
import { millisSince } from './check.ts';
import type { CheckResult } from './check.ts';

/**
 * Asks the project's Postgres for `select 1` through its pooler, over one connection that is kept: a pooler in transaction
 * mode lends it a server connection for each question, so that one that has none left is found out. A text query without
 * values, for such a pooler knows no prepared statement of another transaction.
 * https://www.pgbouncer.org/features.html
 */
export class DatabaseCheck {
  /** Secret: holds a password, and is in no sentence. */
  readonly #url: string;
  #client: Client | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  /** Never rejects, and ends within the limit. */
  async check(limitMs: number): Promise<CheckResult> {
    if (this.#client === undefined) return this.#askAnew(limitMs);
    const result = await ask(this.#client, limitMs);
    if (!result.ok) this.close();
    return result;
  }

  close(): void {
    const client = this.#client;
    this.#client = undefined;
    // Ended here, it would wait for a server that may be gone.
    void client?.end().catch(() => {});
  }

  async #askAnew(limitMs: number): Promise<CheckResult> {
    const began = performance.now();
    const client = new Client({
      connectionString: this.#url,
      application_name: 'agent-worker-pool',
      connectionTimeoutMillis: limitMs,
      query_timeout: limitMs,
    });
    // Closed by the other side: the next check makes another.
    client.on('error', () => {
      if (this.#client === client) this.#client = undefined;
    });
    try {
      await client.connect();
    } catch (error) {
      void client.end().catch(() => {});
      return failure(error, limitMs);
    }
    const result = await ask(client, Math.max(1, limitMs - (performance.now() - began)));
    if (!result.ok) void client.end().catch(() => {});
    else this.#client = client;
    return result.ok ? { ok: true, latencyMs: millisSince(began) } : result;
  }
}

async function ask(client: Client, limitMs: number): Promise<CheckResult> {
  const began = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('timeout')), limitMs);
  });
  try {
    await Promise.race([client.query('select 1'), late]);
    return { ok: true, latencyMs: millisSince(began) };
  } catch (error) {
    return failure(error, Math.ceil(limitMs));
  } finally {
    clearTimeout(timer);
  }
}

/** Login, role or database that the server does not accept: no waiting mends it. */
const REFUSES = /^(?:28|3D)/;
/** Poolers say the same without a code of their own. https://supabase.com/docs/guides/troubleshooting */
const POOLER_REFUSES =
  /password authentication failed|no such (?:user|database)|tenant or user not found|auth(?:entication)? failed/i;

function failure(error: unknown, limitMs: number): CheckResult {
  if (error instanceof DatabaseError) {
    const { code = 'without a code', message } = error;
    const refused = REFUSES.test(code) || POOLER_REFUSES.test(message);
    // Its sentence may name user and database, which are parts of the URL.
    const because = refused
      ? `the database does not accept the user, password or database name of DATABASE_URL (${code})`
      : `the database answers an error (${code})`;
    return { ok: false, kind: refused ? 'Refused' : 'Outage', because };
  }
  if (error instanceof Error && /timeout/i.test(error.message)) {
    return { ok: false, kind: 'Outage', because: `the database did not answer within ${limitMs} ms` };
  }
  return { ok: false, kind: 'Outage', because: `the database cannot be reached: ${codeOf(error)}` };
}

/** Of a failed connection only its code: the sentence of a resolver or parser may repeat a part of the URL. */
const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : describeError(error);
