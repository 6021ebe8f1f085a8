import { describeError } from '../log.ts';
import { millisSince } from './check.ts';
import type { CheckResult } from './check.ts';

export type SupabaseAccess = Readonly<{
  /** URL of the project. */
  url: string;
  /** Secret. */
  key: string;
  /** A small table that the key may read. */
  table: string;
}>;

/**
 * Asks for the head of a table: the cheapest request that passes the gateway, PostgREST and Postgres. The health
 * endpoints of Supabase's parts answer while the database is gone.
 */
export const checkSupabase = async (access: SupabaseAccess, limitMs: number): Promise<CheckResult> => {
  const began = performance.now();
  try {
    const response = await fetch(new URL(`rest/v1/${access.table}?limit=1`, withSlash(access.url)), {
      method: 'HEAD',
      headers: credentials(access.key),
      redirect: 'manual',
      signal: AbortSignal.timeout(limitMs),
    });
    return response.ok ? { ok: true, latencyMs: millisSince(began) } : refusal(response.status, access.table);
  } catch (error) {
    return { ok: false, kind: 'Outage', because: `Supabase ${describeFailure(error, limitMs)}` };
  }
};

const withSlash = (url: string): string => (url.endsWith('/') ? url : `${url}/`);

/** The older keys are JWTs, and PostgREST takes their role from `Authorization`; the newer ones are none. */
const credentials = (key: string): Record<string, string> =>
  key.startsWith('eyJ') ? { apikey: key, authorization: `Bearer ${key}` } : { apikey: key };

const refusal = (status: number, table: string): CheckResult => {
  if (status >= 500) return { ok: false, kind: 'Outage', because: `Supabase answers ${status}` };
  return { ok: false, kind: 'Refused', because: `Supabase answers ${status}: ${meaning(status, table)}` };
};

const meaning = (status: number, table: string): string => {
  switch (status) {
    case 401:
      return 'it does not accept SUPABASE_SERVICE_ROLE_KEY';
    case 403:
      return `the key may not read the table ${table}`;
    case 404:
      return `there is no table ${table}, or SUPABASE_URL is not that of a project`;
    default:
      return 'not the answer of a Supabase project that is well';
  }
};

/** `fetch` says "fetch failed", and what failed is in the cause. */
const describeFailure = (error: unknown, limitMs: number): string => {
  if (error instanceof Error && error.name === 'TimeoutError') return `did not answer within ${limitMs} ms`;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return `cannot be reached: ${describeError(cause)}`;
};
