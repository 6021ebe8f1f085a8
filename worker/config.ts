import { z } from 'zod';
import { DEPENDENCY_MODES, type DependencyMode } from './dependencies/check.ts';
import type { SupabaseAccess } from './dependencies/supabase.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';

/** How this process works, read from its environment once. Frozen. */
export type WorkerConfig = Readonly<{
  /** May hold a password: never part of a log line, an error or an answer. */
  redisUrl: string;
  queue: Readonly<{ name: string; prefix: string }>;
  /** Jobs that this replica runs at a time. */
  concurrency: number;
  /** Name of this replica; BullMQ writes it into every job that it runs (`processedBy`). */
  podName: string;
  port: number;
  /** Time that running jobs have to finish once the worker was told to stop. */
  drainTimeoutMs: number;
  /** File with the tokens that allow to cordon; without it nobody may. */
  tokenFile: string | undefined;
  /** Where Kubernetes reads how the process ended. Nothing is written when no such file exists. */
  terminationLog: string;
  /** The Supabase project that the jobs use, if its health is to be checked. */
  supabase: (SupabaseAccess & Readonly<{ mode: DependencyMode; databaseUrl?: string }>) | undefined;
  logLevel: LogLevel;
}>;

/** Sentences, one for each variable that cannot be used. No sentence repeats a value. */
export type ConfigProblems = readonly string[];

const redisUrlFault = (text: string): string | undefined => {
  const url = URL.parse(text);
  if (!url || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    return 'must be a URL such as redis://user:password@host:6379/0, or rediss:// for TLS';
  }
  try {
    decodeURIComponent(`${url.username}${url.password}`);
  } catch {
    return 'has a "%" in its user or password that begins no escape: write it as %25';
  }
  if (url.hash !== '' || `${url.pathname}${url.search}`.includes('@')) {
    return 'has a "#", "/" or "?" in its user or password: percent-encode it';
  }
  if (url.port === '0') return 'must have a port from 1 to 65535';
  return /^\/?\d{0,5}$/.test(url.pathname) ? undefined : 'must end in a database number such as /0, or in nothing';
};

const required = (what: string) => z.string({ error: `is missing: set it to ${what}` });

const wholeNumber = ({ min, max, fallback }: { min: number; max: number; fallback: number }) =>
  z
    .string()
    .default(String(fallback))
    .refine((text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max, {
      error: `must be a whole number from ${min} to ${max}`,
    })
    .transform(Number);

const absolutePath = z
  .string()
  .max(4_096, { error: 'must have at most 4096 characters' })
  .startsWith('/', { error: 'must be an absolute path, such as /etc/agentpool/token' });

const isHttpUrl = (text: string): boolean => {
  const url = URL.parse(text);
  return url !== null && ['http:', 'https:'].includes(url.protocol) && url.username === '' && url.password === '';
};

const environment = z.object({
  REDIS_URL: required('the URL of the Redis that holds the queue').superRefine((text, context) => {
    const fault = redisUrlFault(text);
    if (fault) context.addIssue({ code: 'custom', message: fault });
  }),
  JOB_QUEUE_NAME: required('the name of the BullMQ queue')
    .max(253, { error: 'must have at most 253 characters' })
    .refine((name) => !name.includes(':'), {
      error: 'must not contain ":": put what stands before it into JOB_QUEUE_PREFIX',
    }),
  JOB_QUEUE_PREFIX: z.string().max(253, { error: 'must have at most 253 characters' }).default('bull'),
  JOB_CONCURRENCY: wholeNumber({ min: 1, max: 1000, fallback: 25 }),
  POD_NAME: required('the name of this replica').regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/, {
    error: 'must be a name of letters, digits, "-", "." and "_"',
  }),
  PORT: wholeNumber({ min: 1, max: 65_535, fallback: 3001 }),
  // 14.5 minutes: with the time for handing back, inside a grace period of 15.
  DRAIN_TIMEOUT_SECONDS: wholeNumber({ min: 0, max: 604_800, fallback: 870 }),
  AGENTPOOL_TOKEN_FILE: absolutePath.optional(),
  TERMINATION_LOG: absolutePath.default('/dev/termination-log'),
  SUPABASE_URL: z
    .string()
    .refine(isHttpUrl, { error: 'must be the URL of a project, such as https://PROJECT.supabase.co' })
    .optional(),
  SUPABASE_SERVICE_ROLE_KEY: z
    .string()
    .regex(/^[\x21-\x7e]+$/, { error: 'must be one line of printable characters without spaces' })
    .optional(),
  SUPABASE_HEALTH_TABLE: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, { error: 'must be the name of a table: letters, digits and "_"' })
    .optional(),
  DATABASE_URL: z.string().optional(),
  SUPABASE_HEALTH_MODE: z
    .enum(DEPENDENCY_MODES, { error: `must be one of ${DEPENDENCY_MODES.join(', ')}` })
    .default('Required'),
  LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
});

/**
 * Reads the environment. A variable that is empty or blank counts as not set.
 *
 * @returns the configuration, or every problem at once.
 */
export const readConfig = (
  env: Readonly<Record<string, string | undefined>> = process.env,
): { ok: true; config: WorkerConfig } | { ok: false; problems: ConfigProblems } => {
  const set = Object.keys(environment.shape).flatMap((name) => {
    const text = env[name]?.trim();
    return text ? [[name, text] as const] : [];
  });
  const given = Object.fromEntries(set);
  const parsed = environment.safeParse(given);
  const problems = [
    ...(parsed.error?.issues ?? []).map((issue) => `${issue.path.join('.')} ${issue.message}`),
    ...missingForSupabase(given),
    ...unusableDatabase(given),
  ];
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  const { data } = parsed;
  const config: WorkerConfig = {
    redisUrl: data.REDIS_URL,
    queue: Object.freeze({ name: data.JOB_QUEUE_NAME, prefix: data.JOB_QUEUE_PREFIX }),
    concurrency: data.JOB_CONCURRENCY,
    podName: data.POD_NAME,
    port: data.PORT,
    drainTimeoutMs: data.DRAIN_TIMEOUT_SECONDS * 1000,
    tokenFile: data.AGENTPOOL_TOKEN_FILE,
    terminationLog: data.TERMINATION_LOG,
    supabase: supabaseOf(data),
    logLevel: data.LOG_LEVEL,
  };
  return { ok: true, config: Object.freeze(config) };
};

/** Workers had the other two before anybody checked with them: only the table asks for a check. */
const missingForSupabase = (given: Readonly<Record<string, string>>): ConfigProblems =>
  given['SUPABASE_HEALTH_TABLE'] === undefined
    ? []
    : (['SUPABASE_URL', 'SUPABASE_SERVICE_ROLE_KEY'] as const)
        .filter((name) => given[name] === undefined)
        .map((name) => `${name} is missing: SUPABASE_HEALTH_TABLE asks for a check, which needs it`);

/** It belongs to the jobs, and may be of any database, until a check of the project asks for it. */
const unusableDatabase = (given: Readonly<Record<string, string>>): ConfigProblems => {
  const { SUPABASE_HEALTH_TABLE: table, DATABASE_URL: text } = given;
  if (table === undefined || text === undefined) return [];
  const url = URL.parse(text);
  if (url !== null && ['postgres:', 'postgresql:'].includes(url.protocol) && url.hostname !== '') return [];
  return [
    'DATABASE_URL must be a URL such as postgresql://user:password@host:6543/postgres, with "@", "#", "/" and "?" of the password percent-encoded: SUPABASE_HEALTH_TABLE asks for a check with it',
  ];
};

const supabaseOf = (data: z.output<typeof environment>): WorkerConfig['supabase'] => {
  const { SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: key, SUPABASE_HEALTH_TABLE: table } = data;
  if (url === undefined || key === undefined || table === undefined) return undefined;
  const { DATABASE_URL: databaseUrl, SUPABASE_HEALTH_MODE: mode } = data;
  return Object.freeze({ url, key, table, mode, ...(databaseUrl === undefined ? {} : { databaseUrl }) });
};
