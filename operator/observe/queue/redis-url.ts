import { isLinkLocal } from '../link-local.ts';

/** Where a Redis is and who to be there. Only `address` may appear in a message. */
export type RedisTarget = Readonly<{
  host: string;
  port: number;
  db: number;
  tls: boolean;
  username?: string;
  password?: string;
  /** `host:port`, for people. */
  address: string;
}>;

export type ParsedRedisUrl = Readonly<{ ok: true; target: RedisTarget } | { ok: false; because: string }>;

const FORM = 'redis://[user[:password]@]host[:port][/database], or rediss:// for TLS';
const DEFAULT_PORT = 6379;
/** The longest name that DNS can hold. */
const HOST_MAX_LENGTH = 253;
/** A name, an IPv4 or an IPv6 address: what `URL` lets pass for a scheme that it does not know is any text, encoded. */
const HOST = /^[\w.-]+$|^[\da-f:.]+$/i;
const refuse = (because: string): ParsedRedisUrl => ({ ok: false, because });

const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
};

/** The database as ioredis reads it, so that operator and workers look at the same one: the path, else `?db=`. */
const databaseOf = (url: URL): number | undefined => {
  const path = url.pathname.replace(/^\//, '');
  const text = path === '' ? (url.searchParams.get('db') ?? '0') : path;
  return /^\d{1,5}$/.test(text) ? Number(text) : undefined;
};

/**
 * An "@" behind the host means that a character of the password ended the host too early: what stands there as host
 * would be a piece of the password.
 */
const isCutByPassword = (url: URL): boolean => url.hash !== '' || `${url.pathname}${url.search}`.includes('@');

const credentialOf = (url: URL, name: 'username' | 'password'): string | undefined =>
  decode(url[name] || (url.searchParams.get(name) ?? ''));

type Place = Readonly<{ host: string; port: number; db: number }>;

/** The place in the URL, or what is wrong with it. */
function placeOf(url: URL): Place | string {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  const db = databaseOf(url);
  if (host === '') return `it has no host; expected ${FORM}`;
  if (host.length > HOST_MAX_LENGTH) return `its host has more than ${HOST_MAX_LENGTH} characters`;
  if (!HOST.test(host)) return 'its host has a character that no host name or address has';
  if (port < 1) return 'its port must be from 1 to 65535';
  if (isLinkLocal(host)) return `its host ${host} is a link-local address; the operator connects to none`;
  return db === undefined ? 'its database must be a number, such as /0' : { host, port, db };
}

/** Reads a Redis URL as ioredis does. A refusal repeats nothing of the URL but the host: it may hold a password. */
export function parseRedisUrl(text: string): ParsedRedisUrl {
  const url = URL.parse(text.trim());
  if (!url || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) {
    return refuse(`it is not of the form ${FORM}; are special characters of the password percent-encoded?`);
  }
  if (isCutByPassword(url)) return refuse('a "#", "/" or "?" in its user or password must be percent-encoded');
  const place = placeOf(url);
  if (typeof place === 'string') return refuse(place);
  const username = credentialOf(url, 'username');
  const password = credentialOf(url, 'password');
  if (username === undefined || password === undefined) {
    return refuse('a "%" in its user or password must be written as %25');
  }
  const { host, port } = place;
  return {
    ok: true,
    target: {
      ...place,
      tls: url.protocol === 'rediss:',
      ...(username === '' ? {} : { username }),
      ...(password === '' ? {} : { password }),
      address: `${host.includes(':') ? `[${host}]` : host}:${port}`,
    },
  };
}

/** Two URLs with the same identity share their connections. Holds the password: never for a log. */
export const identityOf = ({ host, port, db, tls, username, password }: RedisTarget): string =>
  JSON.stringify([host, port, db, tls, username, password]);
