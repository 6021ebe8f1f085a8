import { describe, expect, it } from 'vitest';
import { NOON, samplePool } from '../core/state.fixture.ts';
import { KubeError } from '../kube/errors.ts';
import type { ObjectRef } from '../kube/resources.ts';
import { Grants } from './rights.ts';
import { RedisSecretReader } from './redis-secret.ts';
import { SecretCache } from './secret-cache.ts';

const KEY = 'agents/agent-jobs';
const pool = samplePool();
const GRANTS = new Grants({ secretsRole: 'release-secrets', account: 'here:release', watchNamespaces: [] });

/** The one call that the reader makes, and a clock; the API server itself is in the end-to-end suite. */
function readerOf(secret: (ref: ObjectRef) => object | undefined) {
  let now = NOON;
  let reads = 0;
  const get = async <T>(_type: unknown, ref: ObjectRef) => {
    reads += 1;
    return secret(ref) as T | undefined;
  };
  const reader = new RedisSecretReader(new SecretCache({ client: { get }, now: () => now, random: () => 0.5 }), GRANTS);
  return { reader, reads: () => reads, pass: (ms: number) => void (now += ms) };
}

const secretWith = (url: string) => ({
  metadata: { uid: 'u', resourceVersion: '7' },
  data: { REDIS_URL: Buffer.from(url).toString('base64') },
});
const failed = (trouble: 'RedisUnreachable' | 'RedisAuthFailed') => ({ ok: false, trouble, because: 'x' }) as const;

const withSecret = (secretName: string) => ({
  ...pool,
  spec: { ...pool.spec, queue: { ...pool.spec.queue, redisUrl: { secretName, key: 'REDIS_URL' } } },
});

describe('the Redis URL of a pool', () => {
  it('that may not be read comes with the command that grants it to this operator, whatever it is called', async () => {
    const { reader } = readerOf(() => {
      throw new KubeError({ status: 403, reason: 'Forbidden', message: 'no' });
    });
    expect(await reader.read(KEY, pool)).toMatchObject({
      trouble: 'SecretForbidden',
      because: expect.stringContaining(
        'kubectl create rolebinding release-secrets -n agents --clusterrole=release-secrets --serviceaccount=here:release',
      ),
    });
  });

  it('is read once for many passes while Redis serves, without the line end of a careless echo', async () => {
    const { reader, reads, pass } = readerOf(() => secretWith('redis://r\n'));
    for (let i = 0; i < 100; i++) {
      expect(await reader.read(KEY, pool)).toEqual({ ok: true, url: 'redis://r', version: 'u/7' });
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
    expect(answers).toEqual(Array.from({ length: 3 }, () => ({ ok: true, url: 'redis://r', version: 'u/7' })));
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

  it('is read once for all pools that name the same Secret', async () => {
    const { reader, reads, pass } = readerOf(() => undefined);
    for (let second = 0; second < 60; second += 5) {
      for (let i = 0; i < 300; i++) await reader.read(`agents/pool-${i}`, pool);
      pass(5000);
    }
    expect(reads()).toBe(12);
  });

  it('costs the API server at most five calls a second, however many pools have none', async () => {
    const { reader, reads, pass } = readerOf(() => undefined);
    const pools = Array.from({ length: 500 }, (_, i) => withSecret(`secret-${i}`));
    const readAll = async (seconds: number) => {
      for (let second = 0; second < seconds; second += 5) {
        for (const [i, each] of pools.entries()) await reader.read(`agents/pool-${i}`, each);
        pass(5000);
      }
    };
    await readAll(100);
    const before = reads();
    await readAll(300);
    expect(reads() - before).toBeLessThanOrEqual(5 * 300);
    // and each is asked for in turn
    expect(reads() - before).toBeGreaterThanOrEqual(500 * 2);
    for (const [i] of pools.entries()) reader.forget(`agents/pool-${i}`);
    const alone = reads();
    await reader.read(KEY, pool);
    pass(5000);
    await reader.read(KEY, pool);
    expect(reads() - alone).toBe(2);
  });

  it('costs at most five calls a minute while all is well, and a rotated one is found', async () => {
    let url = 'redis://one';
    const { reader, reads, pass } = readerOf(() => secretWith(url));
    const pools = Array.from({ length: 1000 }, (_, i) => withSecret(`secret-${i}`));
    for (const [i, each] of pools.entries()) await reader.read(`agents/pool-${i}`, each);
    url = 'redis://two';
    const before = reads();
    for (let minute = 0; minute < 240; minute++) {
      for (const [i, each] of pools.entries()) await reader.read(`agents/pool-${i}`, each);
      pass(60_000);
    }
    expect(reads() - before).toBeLessThanOrEqual(5 * 240);
    expect(await reader.read('agents/pool-7', pools[7] ?? pool)).toMatchObject({ ok: true, url });
  });

  it('is read anew for a pool that names another Secret', async () => {
    const { reader } = readerOf(({ name }) => secretWith(`redis://${name}`));
    expect(await reader.read(KEY, pool)).toMatchObject({ ok: true, url: 'redis://env' });
    expect(await reader.read(KEY, withSecret('other'))).toMatchObject({ ok: true, url: 'redis://other' });
  });
});
