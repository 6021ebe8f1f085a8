import type { CheckResult } from './check.ts';
import type { DatabaseCheck } from './database.ts';
import { checkSupabase } from './supabase.ts';
import type { SupabaseAccess } from './supabase.ts';

/**
 * A Supabase project by both ways that jobs go: its gateway, and, where one is given, its pooler, asked at the same time.
 * An outage of either is one of the project; else what one of them refuses is said.
 */
export const checkProject = async (
  access: SupabaseAccess,
  database: Pick<DatabaseCheck, 'check'> | undefined,
  limitMs: number,
): Promise<CheckResult> => {
  const [gateway, pooler] = await Promise.all([checkSupabase(access, limitMs), database?.check(limitMs)]);
  if (pooler === undefined) return gateway;
  const failed = [gateway, pooler].filter((result) => !result.ok);
  const worst = failed.find(({ kind }) => kind === 'Outage') ?? failed[0];
  if (worst !== undefined) return { ...worst, because: failed.map(({ because }) => because).join('; ') };
  return gateway.ok && pooler.ok ? { ...gateway, databaseLatencyMs: pooler.latencyMs } : gateway;
};
