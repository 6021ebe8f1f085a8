import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DatabaseCheck } from '../../worker/dependencies/database.ts';
import { ToolUnavailable } from '../cluster/binaries/acquire.ts';
import { until } from '../cluster/until.ts';
import { DATABASE_PASSWORD, startSupabaseProject } from '../fixtures/postgres.ts';
import type { SupabaseProject } from '../fixtures/postgres.ts';
import { startRedis } from '../fixtures/redis.ts';
import type { RedisServer } from '../fixtures/redis.ts';
import { startWorker } from '../fixtures/worker.ts';

const TABLE = 'agents';
let project: SupabaseProject | undefined;
let redis: RedisServer;
let missing = '';

beforeAll(async () => {
  redis = await startRedis();
  try {
    project = await startSupabaseProject(TABLE);
  } catch (error) {
    if (!(error instanceof ToolUnavailable)) throw error;
    missing = error.message;
  }
}, 900_000);
afterAll(async () => {
  await project?.stop();
  await redis?.stop();
});

/** With limits that a busy machine keeps; a test asserts what is said, not how fast. */
const LIMIT_MS = 10_000;
const SHORT_MS = 1_000;

const checks: DatabaseCheck[] = [];
const checkOf = (url: string): DatabaseCheck => {
  const check = new DatabaseCheck(url);
  checks.push(check);
  return check;
};
afterAll(() => {
  for (const check of checks) check.close();
});

describe('a real Postgres behind a real PgBouncer in transaction mode', () => {
  it('is well for any number of replicas that share one connection to the server', async (ctx) => {
    if (project === undefined) return ctx.skip(missing);
    const replicas = Array.from({ length: 5 }, () => checkOf(project?.databaseUrl ?? ''));
    for (const _ of ['a new connection', 'the one that was kept']) {
      const results = await Promise.all(replicas.map((check) => check.check(LIMIT_MS)));
      expect(results).toEqual(replicas.map(() => ({ ok: true, latencyMs: expect.any(Number) as number })));
    }
    expect(await project.serverConnections()).toBe(1);
  });

  it.for<[string, (url: string) => string]>([
    ['a wrong password', (url: string) => url.replace(DATABASE_PASSWORD, 'wrong')],
    ['a user that is not there', (url: string) => url.replace('//postgres:', '//nobody:')],
    ['a database that is not there', (url: string) => url.replace(/\/postgres$/, '/other')],
  ])('refuses %s, which is no outage, whether the pooler or Postgres says so', async ([, spoil], ctx) => {
    if (project === undefined) return ctx.skip(missing);
    for (const url of [project.databaseUrl, project.serverUrl]) {
      const result = await checkOf(spoil(url)).check(LIMIT_MS);
      expect(result).toMatchObject({ ok: false, kind: 'Refused' });
      expect(JSON.stringify(result)).not.toMatch(/wrong|nobody|127\.0\.0\.1/);
    }
  });

  it('that has no connection left does not answer in time, and is well again when it has', async (ctx) => {
    if (project === undefined) return ctx.skip(missing);
    const check = checkOf(project.databaseUrl);
    await check.check(LIMIT_MS);
    const release = await project.holdLastConnection();
    for (const _ of ['over the connection that was kept', 'over a new one']) {
      expect(await check.check(SHORT_MS)).toEqual({
        ok: false,
        kind: 'Outage',
        because: expect.stringMatching(/^the database did not answer within \d+ ms$/) as string,
      });
    }
    await release();
    expect(await check.check(LIMIT_MS)).toMatchObject({ ok: true });
  });

  it('whose pooler is gone is out, and well at the first question after its restart', async (ctx) => {
    if (project === undefined) return ctx.skip(missing);
    const check = checkOf(project.databaseUrl);
    await check.check(LIMIT_MS);
    await project.killPooler();
    expect(await check.check(LIMIT_MS)).toEqual({
      ok: false,
      kind: 'Outage',
      because: 'the database cannot be reached: ECONNREFUSED',
    });
    await project.startPooler();
    expect(await check.check(LIMIT_MS)).toMatchObject({ ok: true });
    // Not asked meanwhile: its connection was closed by the pooler, and is no reason to fail.
    await project.killPooler();
    await project.startPooler();
    expect(await check.check(LIMIT_MS)).toMatchObject({ ok: true });
  });
});

it('a worker with DATABASE_URL asks both ways to its project, is held while either is out, and logs no password', async (ctx) => {
  if (project === undefined) return ctx.skip(missing);
  const { url, databaseUrl } = project;
  const worker = await startWorker({
    redisUrl: redis.url,
    queue: 'jobs',
    handlers: { nothing: async () => {} },
    supabase: { url, databaseUrl, key: 'sb_secret_x', table: TABLE, mode: 'Required' },
    timing: { checkEveryMs: 200, checkAgainMs: 100, checkMs: 2_000 },
  });
  const health = () => worker.json<{ held: string | null; supabase: Record<string, unknown> }>('/health');
  const untilSaid = (held: RegExp | null) =>
    until(
      async () => {
        const said = (await health()).held;
        return held === null ? said === null : said !== null && held.test(said);
      },
      { what: `it is held: ${held}`, limitMs: 60_000 },
    );
  await untilSaid(null);
  expect((await health()).supabase).toMatchObject({
    connected: true,
    latencyMs: expect.any(Number) as number,
    databaseLatencyMs: expect.any(Number) as number,
  });
  await project.killPooler();
  await untilSaid(/Supabase answers 503; the database cannot be reached: ECONNREFUSED/);
  await project.startPooler();
  await untilSaid(null);
  await worker.stop();
  expect(JSON.stringify(worker.lines)).not.toContain(DATABASE_PASSWORD);
});
