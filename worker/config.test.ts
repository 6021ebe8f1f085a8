import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readConfig } from './config.ts';

const valid = { REDIS_URL: 'redis://localhost:6379', JOB_QUEUE_NAME: 'agent-jobs', POD_NAME: 'agent-jobs-7d4-x2' };

const problemsOf = (env: Record<string, string>) => {
  const parsed = readConfig(env);
  return parsed.ok ? [] : parsed.problems;
};

it('runs with the three variables that have no default', () => {
  expect(readConfig(valid)).toEqual({
    ok: true,
    config: {
      redisUrl: 'redis://localhost:6379',
      queue: { name: 'agent-jobs', prefix: 'bull' },
      concurrency: 25,
      podName: 'agent-jobs-7d4-x2',
      port: 3001,
      drainTimeoutMs: 870_000,
      tokenFile: undefined,
      terminationLog: '/dev/termination-log',
      supabase: undefined,
      logLevel: 'info',
    },
  });
});

it('takes every variable that is set', () => {
  const parsed = readConfig({
    ...valid,
    JOB_QUEUE_PREFIX: 'jobs',
    JOB_CONCURRENCY: '3',
    PORT: '8081',
    DRAIN_TIMEOUT_SECONDS: '0',
    AGENTPOOL_TOKEN_FILE: '/etc/agentpool/token',
    TERMINATION_LOG: '/run/end',
    LOG_LEVEL: 'debug',
  });
  expect(parsed).toMatchObject({
    ok: true,
    config: {
      queue: { prefix: 'jobs' },
      concurrency: 3,
      port: 8081,
      drainTimeoutMs: 0,
      tokenFile: '/etc/agentpool/token',
      terminationLog: '/run/end',
      logLevel: 'debug',
    },
  });
});

it('names every problem at once, each with the variable and what to do', () => {
  expect(
    problemsOf({
      REDIS_URL: 'localhost:6379',
      JOB_QUEUE_NAME: 'agent:jobs',
      JOB_CONCURRENCY: '2.5',
      POD_NAME: 'a pod',
      PORT: '70000',
      DRAIN_TIMEOUT_SECONDS: '15m',
      AGENTPOOL_TOKEN_FILE: 'token',
      LOG_LEVEL: 'loud',
    }),
  ).toEqual([
    'REDIS_URL must be a URL such as redis://user:password@host:6379/0, or rediss:// for TLS',
    'JOB_QUEUE_NAME must not contain ":": put what stands before it into JOB_QUEUE_PREFIX',
    'JOB_CONCURRENCY must be a whole number from 1 to 1000',
    'POD_NAME must be a name of letters, digits, "-", "." and "_"',
    'PORT must be a whole number from 1 to 65535',
    'DRAIN_TIMEOUT_SECONDS must be a whole number from 0 to 604800',
    'AGENTPOOL_TOKEN_FILE must be an absolute path, such as /etc/agentpool/token',
    'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent',
  ]);
});

const supabase = { SUPABASE_URL: 'https://abc.supabase.co', SUPABASE_SERVICE_ROLE_KEY: 'sb_secret_x' };

it('checks Supabase only when it is told a table to ask for', () => {
  const configOf = (env: Record<string, string>) => {
    const parsed = readConfig({ ...valid, ...supabase, ...env });
    return parsed.ok ? parsed.config.supabase : parsed.problems;
  };
  expect(configOf({})).toBeUndefined();
  const access = { url: 'https://abc.supabase.co', key: 'sb_secret_x', table: 'jobs' };
  expect(configOf({ SUPABASE_HEALTH_TABLE: 'jobs' })).toEqual({ ...access, mode: 'Required' });
  expect(configOf({ SUPABASE_HEALTH_TABLE: 'jobs', SUPABASE_HEALTH_MODE: 'Optional' })).toEqual({
    ...access,
    mode: 'Optional',
  });
});

it('asks the database of the project only with that check, and then wants a URL that it can use', () => {
  const configOf = (env: Record<string, string>) => {
    const parsed = readConfig({ ...valid, ...supabase, ...env });
    return parsed.ok ? parsed.config.supabase : parsed.problems;
  };
  const url = 'postgresql://postgres.abc:secret@aws-0.pooler.supabase.com:6543/postgres';
  expect(configOf({ DATABASE_URL: 'mysql://u:secret@h/db' })).toBeUndefined();
  expect(configOf({ DATABASE_URL: url, SUPABASE_HEALTH_TABLE: 'jobs' })).toMatchObject({ databaseUrl: url });
  for (const bad of ['mysql://u:secret@h/db', 'postgres://u:se#cret@h', 'postgres://', 'secret']) {
    const problems = configOf({ DATABASE_URL: bad, SUPABASE_HEALTH_TABLE: 'jobs' });
    expect(problems).toEqual([expect.stringMatching(/^DATABASE_URL must be a URL such as postgresql:/)]);
    expect(JSON.stringify(problems)).not.toContain('secret');
  }
});

it('says what a check of Supabase lacks, beside every other problem', () => {
  expect(problemsOf({ ...valid, PORT: '0', SUPABASE_HEALTH_TABLE: 'jobs' })).toEqual([
    'PORT must be a whole number from 1 to 65535',
    'SUPABASE_URL is missing: SUPABASE_HEALTH_TABLE asks for a check, which needs it',
    'SUPABASE_SERVICE_ROLE_KEY is missing: SUPABASE_HEALTH_TABLE asks for a check, which needs it',
  ]);
  expect(
    problemsOf({
      ...valid,
      SUPABASE_URL: 'postgres://u:p@h',
      SUPABASE_SERVICE_ROLE_KEY: 'a b',
      SUPABASE_HEALTH_TABLE: 'public.jobs',
      SUPABASE_HEALTH_MODE: 'required',
    }).map((problem) => problem.split(' ')[0]),
  ).toEqual(['SUPABASE_URL', 'SUPABASE_SERVICE_ROLE_KEY', 'SUPABASE_HEALTH_TABLE', 'SUPABASE_HEALTH_MODE']);
});

it('counts an empty or blank variable as not set', () => {
  expect(problemsOf({ REDIS_URL: '', JOB_QUEUE_NAME: ' ', POD_NAME: 'w', PORT: '', LOG_LEVEL: ' ' })).toEqual([
    'REDIS_URL is missing: set it to the URL of the Redis that holds the queue',
    'JOB_QUEUE_NAME is missing: set it to the name of the BullMQ queue',
  ]);
});

it.each([
  'redis://h',
  'redis://:pw@h:1/3',
  'rediss://default:a%2Fb@h:6379',
  'redis://[::1]:6379/0',
  'redis://h/?family=6',
])('accepts %s', (url) => {
  expect(problemsOf({ ...valid, REDIS_URL: url })).toEqual([]);
});

it.each([
  'http://h:6379',
  'redis://',
  'h',
  'redis://h/zero',
  'redis://h:0',
  'redis://u:p%w@h',
  'redis://u:12#w@h',
  'redis://u:12/w@h',
])('refuses %s', (url) => {
  expect(problemsOf({ ...valid, REDIS_URL: url })).toHaveLength(1);
});

it('never repeats a value, which may be a secret in the wrong place', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{12,40}$/), (secret) => {
      const env = {
        REDIS_URL: `rds://u:${secret}@h`,
        JOB_QUEUE_NAME: `${secret}:${secret}`,
        JOB_CONCURRENCY: secret,
        POD_NAME: ` -${secret}`,
        PORT: secret,
        LOG_LEVEL: secret,
      };
      const problems = problemsOf(env);
      expect(problems).toHaveLength(6);
      expect(problems.join('\n')).not.toContain(secret);
    }),
  );
});
