import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CheckResult } from '../../core/dependencies/check.ts';
import { samplePool } from '../../core/state.fixture.ts';
import type { RedisUse } from '../queue/redis-connection.ts';
import { SecretCache } from '../secret-cache.ts';
import { OperatorChecks, type RedisWay } from './operator-checks.ts';

const GOOD: CheckResult = { ok: true };
const OUT: CheckResult = { ok: false, kind: 'Outage', because: 'answers 503' };

const { spec, ...rest } = samplePool();
const pool = {
  ...rest,
  spec: {
    ...spec,
    health: {
      ...spec.health,
      supabase: {
        mode: 'Required' as const,
        url: { secretName: 'env', key: 'URL' },
        key: { secretName: 'env', key: 'KEY' },
        table: 'agents',
      },
    },
  },
};

const base64 = (text: string) => Buffer.from(text).toString('base64');

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function checksOf(data: Record<string, string> = { URL: base64('https://p.test\n'), KEY: base64('k') }) {
  const seen = { supabase: [] as unknown[], pings: [] as number[], news: 0, answer: GOOD };
  const client = { get: async () => ({ metadata: { uid: 'u', resourceVersion: '1' }, data }) as never };
  let used: RedisUse = { access: { ok: true }, at: Date.now() };
  let hangs = false;
  const redis: RedisWay = {
    ok: true,
    lastUse: () => used,
    check: async (maxAgeMs) => {
      seen.pings.push(maxAgeMs);
      if (hangs) await new Promise(() => {});
      used = { ...used, at: Math.max(used.at, Date.now()) };
      return used;
    },
  };
  const checks = new OperatorChecks({
    now: () => Date.now(),
    secrets: new SecretCache({ client, now: () => Date.now() }),
    supabase: {
      check: async (target) => {
        seen.supabase.push(target);
        return seen.answer;
      },
      close: async () => undefined,
    },
    onNews: () => {
      seen.news += 1;
    },
  });
  const read = (alert = false) => checks.read({ pool, redis, alert });
  return { seen, checks, read, redis, use: (next: RedisUse) => (used = next), hang: () => (hangs = true) };
}

describe("the operator's own checks", () => {
  it('run at once, then once a minute when all is well, and wake nobody without news', async () => {
    const { seen, checks, read } = checksOf();
    expect(read().supabase).toMatchObject({ ok: false, because: 'it was not checked yet' });
    await vi.advanceTimersByTimeAsync(1);
    expect(read()).toMatchObject({ redis: { value: GOOD }, supabase: { value: GOOD } });
    expect(seen.news).toBe(1);
    await vi.advanceTimersByTimeAsync(180_000);
    expect(seen.supabase).toHaveLength(4);
    expect(seen.supabase[0]).toEqual({ url: 'https://p.test', key: 'k', table: 'agents' });
    expect(seen.news).toBe(1);
    await checks.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('run at once when something begins not to be well, and then at the pace of the replicas', async () => {
    const { seen, checks, read } = checksOf();
    read();
    await vi.advanceTimersByTimeAsync(5000);
    read(true);
    await vi.advanceTimersByTimeAsync(1);
    expect(seen.supabase).toHaveLength(2);
    expect(seen.pings).toEqual([60_000, 0]);
    read(true);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(seen.supabase).toHaveLength(4);
    await checks.close();
  });

  it('are news as long as one fails', async () => {
    const { seen, checks, read } = checksOf();
    seen.answer = OUT;
    read();
    await vi.advanceTimersByTimeAsync(60_001);
    expect(seen.news).toBe(2);
    expect(read().supabase).toMatchObject({ ok: true, value: OUT });
    await checks.close();
  });

  it('take each use of Redis for a check, and what it was refused for a refusal', async () => {
    const { checks, read, use } = checksOf();
    read();
    await vi.advanceTimersByTimeAsync(1);
    use({ access: { ok: false, trouble: 'RedisUnreachable', because: 'nothing listens there' }, at: 9e15 });
    expect(read().redis).toMatchObject({
      at: 9e15,
      value: { kind: 'Outage', because: expect.stringContaining('nothing') },
    });
    use({ access: { ok: false, trouble: 'RedisAuthFailed', because: 'WRONGPASS' }, at: 9.1e15 });
    expect(read().redis).toMatchObject({ value: { kind: 'Refused' } });
    await checks.close();
  });

  it('are news when the last has become too old to say anything, since the next one does not end', async () => {
    const { seen, checks, read, hang } = checksOf();
    read();
    await vi.advanceTimersByTimeAsync(1);
    hang();
    await vi.advanceTimersByTimeAsync(149_000);
    expect(seen.news).toBe(1);
    await vi.advanceTimersByTimeAsync(2000);
    expect(seen.news).toBe(2);
    await checks.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('know nothing where the Secret has not what they need, and say which', async () => {
    const { seen, checks, read } = checksOf({ URL: base64('https://p.test') });
    read();
    await vi.advanceTimersByTimeAsync(1);
    expect(read().supabase).toEqual({ ok: false, because: 'Secret env has no key KEY for Supabase' });
    expect(seen.supabase).toEqual([]);
    await checks.close();
  });

  it('end with the pool', async () => {
    const { seen, checks, read } = checksOf();
    read();
    await vi.advanceTimersByTimeAsync(1);
    checks.forget('agents/agent-jobs');
    await vi.advanceTimersByTimeAsync(600_000);
    expect(seen.supabase).toHaveLength(1);
  });
});
