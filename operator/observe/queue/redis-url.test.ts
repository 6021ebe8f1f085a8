import fc from 'fast-check';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { identityOf, parseRedisUrl, type RedisTarget } from './redis-url.ts';

const targetOf = (url: string): RedisTarget => {
  const parsed = parseRedisUrl(url);
  if (!parsed.ok) throw new Error(parsed.because);
  return parsed.target;
};

describe('a Redis URL', () => {
  it.each([
    ['redis://redis', { host: 'redis', port: 6379, db: 0, tls: false, address: 'redis:6379' }],
    [' redis://redis:7000/3\n', { host: 'redis', port: 7000, db: 3, tls: false, address: 'redis:7000' }],
    ['redis://redis?db=4', { host: 'redis', port: 6379, db: 4, tls: false, address: 'redis:6379' }],
    ['redis://redis/2?db=4', { host: 'redis', port: 6379, db: 2, tls: false, address: 'redis:6379' }],
    ['redis://:p%40ss@r', { host: 'r', port: 6379, db: 0, tls: false, password: 'p@ss', address: 'r:6379' }],
    ['redis://u:p@r', { host: 'r', port: 6379, db: 0, tls: false, username: 'u', password: 'p', address: 'r:6379' }],
    ['rediss://r:6380', { host: 'r', port: 6380, db: 0, tls: true, address: 'r:6380' }],
    ['redis://[::1]:6380', { host: '::1', port: 6380, db: 0, tls: false, address: '[::1]:6380' }],
  ])('%s is read', (url, target) => {
    expect(targetOf(url)).toEqual(target);
  });

  it.each([
    ['', /not of the form/],
    ['redis', /not of the form/],
    ['redis:6379', /no host/],
    ['http://redis', /not of the form/],
    ['redis://', /no host/],
    [`redis://${'h'.repeat(254)}`, /^its host has more than 253 characters$/],
    ['redis://\u0001\u0002\uFFFD', /^its host has a character/],
    ['redis://rédis', /^its host has a character/],
    ['redis://redis:70000', /not of the form/],
    ['redis://redis:0', /port/],
    ['redis://redis/first', /database/],
    ['redis://redis/-1', /database/],
    ['redis://:100%@redis', /%25/],
    ['redis://169.254.169.254', /link-local/],
    ['redis://[fe80::1]', /link-local/],
    ['redis://:sec#ret@redis', /not of the form|percent-encoded/],
    ['redis://secret#x@redis', /percent-encoded/],
    ['redis://secret/x@redis', /percent-encoded/],
    ['redis://secret?x@redis', /percent-encoded/],
  ])('"%s" is refused with a sentence, which repeats no part of a password', (url, because) => {
    const parsed = parseRedisUrl(url);
    expect(parsed).toMatchObject({ ok: false, because: expect.stringMatching(because) });
    expect(JSON.stringify(parsed)).not.toMatch(/sec|ret@/);
  });

  it('means the same server, user and database as it does to the workers, whose client is ioredis', () => {
    const credential = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(
        fc.constantFrom('redis', 'rediss'),
        credential,
        credential,
        fc.integer({ min: 1, max: 65_535 }),
        fc.integer({ min: 0, max: 15 }),
        (scheme, user, password, port, db) => {
          const url = `${scheme}://${encodeURIComponent(user)}:${encodeURIComponent(password)}@redis.local:${port}/${db}`;
          const client = new Redis(url, { lazyConnect: true });
          const { options } = client;
          const target = targetOf(url);
          expect([target.host, target.port, target.db, target.tls]).toEqual([
            options.host,
            options.port,
            Number(options.db),
            Boolean(options.tls),
          ]);
          expect([target.username ?? '', target.password ?? '']).toEqual([
            options.username ?? '',
            options.password ?? '',
          ]);
        },
      ),
    );
  });

  it('shares connections with a URL that means the same, and with no other', () => {
    expect(identityOf(targetOf('redis://r'))).toBe(identityOf(targetOf('redis://r:6379/0')));
    const others = [
      'redis://r',
      'rediss://r',
      'redis://r/1',
      'redis://:a@r',
      'redis://a@r',
      'redis://r:1',
      'redis://s',
    ];
    expect(new Set(others.map((url) => identityOf(targetOf(url)))).size).toBe(others.length);
  });
});
