import { Agent, buildConnector } from 'undici';
import type { CheckResult } from '../../core/dependencies/check.ts';
import type { Millis } from '../../core/known.ts';
import { messageOf } from '../../kube/log.ts';
import { guardedLookup, isLinkLocal, LinkLocalError } from '../link-local.ts';

export type SupabaseTarget = Readonly<{ url: string; key: string; table: string }>;

const refused = (because: string): CheckResult => ({ ok: false, kind: 'Refused', because });
const outage = (because: string): CheckResult => ({ ok: false, kind: 'Outage', because });

/**
 * The cheapest request that passes the gateway, PostgREST and Postgres: the head of a table, and no row of it
 * (https://docs.postgrest.org/en/stable/references/api/tables_views.html). Follows no redirect.
 */
export class SupabaseChecker {
  readonly #agent: Agent;

  constructor() {
    const connect = buildConnector({ lookup: guardedLookup });
    this.#agent = new Agent({
      connections: 2,
      pipelining: 1,
      maxHeaderSize: 16_384,
      // A host that is an address is not looked up, so it is judged here.
      connect: (options, callback) =>
        isLinkLocal(options.hostname)
          ? callback(new LinkLocalError(options.hostname), null)
          : connect(options, callback),
    });
  }

  /** Never rejects; the sentence has nothing of the key, and of the URL its host at most. */
  async check({ url, key, table }: SupabaseTarget, timeoutMs: Millis): Promise<CheckResult> {
    const target = targetOf(url, table);
    if (target === undefined) return refused('has a URL that is none: it must be like https://PROJECT.supabase.co');
    try {
      const { statusCode, body } = await this.#agent.request({
        ...target,
        method: 'HEAD',
        headers: credentials(key),
        signal: AbortSignal.timeout(timeoutMs),
      });
      await body.dump();
      return judgeAnswer(statusCode, table);
    } catch (error) {
      return sayFailure(error, timeoutMs);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function targetOf(text: string, table: string): Readonly<{ origin: string; path: string }> | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, origin, pathname } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return undefined;
  return { origin, path: `${pathname.replace(/\/$/, '')}/rest/v1/${encodeURIComponent(table)}?limit=1` };
}

/** The older keys are JWTs, and PostgREST takes their role from `Authorization`; the newer ones are none. */
const credentials = (key: string): Record<string, string> =>
  key.startsWith('eyJ') ? { apikey: key, authorization: `Bearer ${key}` } : { apikey: key };

function judgeAnswer(status: number, table: string): CheckResult {
  if (status >= 200 && status < 300) return { ok: true };
  switch (status) {
    case 401:
    case 403:
      return refused(`refuses the key (${status})`);
    case 404:
      return refused(`knows no table ${table} that the key may read (404)`);
    case 429:
      return outage('answers too many requests (429)');
  }
  if (status >= 300 && status < 400) return refused(`answers with a redirect (${status}), and none is followed`);
  return status >= 500 ? outage(`answers ${status}`) : refused(`answers ${status}`);
}

function sayFailure(error: unknown, timeoutMs: Millis): CheckResult {
  const { name, code } = error as { name?: string; code?: string };
  if (error instanceof LinkLocalError) return refused(`is not asked: ${error.message}`);
  if (name === 'TimeoutError') return outage(`did not answer within ${timeoutMs} ms`);
  // A key with a line break in it cannot be sent, and must not be shown.
  if (code === 'UND_ERR_INVALID_ARG') return refused('cannot be asked: the key has characters that no header may have');
  return outage(`does not answer: ${code ?? messageOf(error)}`);
}
