import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { guardedLookup, isLinkLocal, LinkLocalError } from './link-local.ts';

describe('link-local addresses', () => {
  it.each([
    '169.254.169.254',
    '169.254.0.0',
    '169.254.255.255',
    '::ffff:169.254.169.254',
    '[::ffff:a9fe:a9fe]',
    'fe80::1',
    'fe80::1%eth0',
    '[fe80::1]',
    'febf::1',
    'fd00:ec2::254',
  ])('%s is refused', (address) => {
    expect(isLinkLocal(address)).toBe(true);
  });

  it.each(['10.0.0.1', '127.0.0.1', '169.253.255.255', '169.255.0.0', '::1', 'fec0::1', 'fd00:ec2::253', 'redis'])(
    '%s is not refused',
    (address) => {
      expect(isLinkLocal(address)).toBe(false);
    },
  );

  const lookup = (host: string, all: boolean) =>
    new Promise<string | LookupAddress[]>((resolve, reject) => {
      guardedLookup(host, { all }, (error, address) => (error ? reject(error) : resolve(address)));
    });

  it.each(['169.254.169.254', '2852039166', '0xa9fea9fe'])(
    'a name that the system resolves to one is refused: %s',
    async (host) => {
      await expect(lookup(host, false)).rejects.toThrow(LinkLocalError);
      await expect(lookup(host, true)).rejects.toThrow(LinkLocalError);
    },
  );

  it('other names resolve as the system does it', async () => {
    expect(await lookup('127.0.0.1', false)).toBe('127.0.0.1');
    expect(await lookup('localhost', true)).toContainEqual({ address: '127.0.0.1', family: 4 });
  });
});
