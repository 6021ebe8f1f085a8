import { describe, expect, it } from 'vitest';
import { NOON, samplePool } from '../core/state.fixture.ts';
import type { KubeClient } from '../kube/client.ts';
import { RedisSecretReader } from './redis-secret.ts';

const KEY = 'agents/agent-jobs';
const pool = samplePool();

/** The one call that the reader makes, and a clock; the API server itself is in the end-to-end suite. */
function readerOf(secret: () => object | undefined) {
  let now = NOON;
  let reads = 0;
  const get = async () => {
    reads += 1;
    return secret();
  };
  const reader = new RedisSecretReader({ client: { get } as unknown as KubeClient, now: () => now });
  return { reader, reads: () => reads, pass: (ms: number) => void (now += ms) };
}

const secretWith = (url: string) => ({ data: { REDIS_URL: Buffer.from(url).toString('base64') } });
const failed = (trouble: 'RedisUnreachable' | 'RedisAuthFailed') => ({ ok: false, trouble, because: 'x' }) as const;

describe('the Redis URL of a pool', () => {
  it('is read once for many passes while Redis serves, without the line end of a careless echo', async () => {
    const { reader, reads, pass } = readerOf(() => secretWith('redis://r\n'));
    for (let i = 0; i < 100; i++) {
      expect(await reader.read(KEY, pool)).toEqual({ ok: true, url: 'redis://r' });
      pass(1000);
    }
    expect(reads()).toBe(1);
  });

  it('is read again soon after Redis refused it, and seldom while Redis is only away', async () => {
    for (const [trouble, most, least] of [
      ['RedisAuthFailed', 26, 20],
      ['RedisUnreachable', 5, 3],
    ] as const) {
      const { reader, reads, pass } = readerOf(() => secretWith('redis://r'));
      for (let second = 0; second < 100; second++) {
        await reader.read(KEY, pool);
        reader.doubt(KEY, failed(trouble));
        pass(1000);
      }
      expect(reads()).toBeLessThanOrEqual(most);
      expect(reads()).toBeGreaterThanOrEqual(least);
    }
  });

  it('is read once for all who ask at the same moment', async () => {
    const { reader, reads } = readerOf(() => secretWith('redis://r'));
    const answers = await Promise.all([reader.read(KEY, pool), reader.read(KEY, pool), reader.read(KEY, pool)]);
    expect(answers).toEqual(Array.from({ length: 3 }, () => ({ ok: true, url: 'redis://r' })));
    expect(reads()).toBe(1);
  });

  it('that is missing is asked for again after seconds', async () => {
    let secret: object | undefined;
    const { reader, pass } = readerOf(() => secret);
    expect(await reader.read(KEY, pool)).toMatchObject({ ok: false, trouble: 'SecretNotFound' });
    secret = secretWith('redis://r');
    pass(5000);
    expect(await reader.read(KEY, pool)).toMatchObject({ ok: true });
  });
});
