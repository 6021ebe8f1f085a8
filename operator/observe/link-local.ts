import { lookup as dnsLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/**
 * Addresses that belong to the node, not to the network: cloud metadata services answer there, and a pool's author
 * must not reach them through the operator. The IPv4 rule holds for IPv4-mapped IPv6 too (nodejs.org/api/net.html).
 */
const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4');
linkLocal.addSubnet('fe80::', 10, 'ipv6');
// The metadata service of AWS has a unique local address of its own.
linkLocal.addAddress('fd00:ec2::254', 'ipv6');

export class LinkLocalError extends Error {
  override name = 'LinkLocalError';
  constructor(host: string) {
    super(`${host} is a link-local address; the operator connects to none`);
  }
}

/** True for an IP address that the operator must not connect to; false for every other address and for names. */
export function isLinkLocal(address: string): boolean {
  const bare = address.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  const family = isIP(bare);
  return family !== 0 && linkLocal.check(bare, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * The system's name resolution, except that a name with a link-local address fails with LinkLocalError. To be given to
 * `net.connect` and `tls.connect`, so that the address that was checked is the address that is connected to.
 */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  dnsLookup(hostname, options, (error, address, family) => {
    const found: readonly string[] = Array.isArray(address) ? address.map((each) => each.address) : [address];
    const refused = error ? undefined : found.find(isLinkLocal);
    if (refused === undefined) callback(error, address, family);
    else callback(new LinkLocalError(`${hostname} (${refused})`), address, family);
  });
};
