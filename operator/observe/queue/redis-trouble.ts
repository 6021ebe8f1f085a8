import type { RedisTrouble } from '../../core/state.ts';
import { messageOf } from '../../kube/log.ts';
import { LinkLocalError } from '../link-local.ts';

/** Why a Redis could not be asked. The sentence names the address, never a user or a password. */
export type RedisFailure = Readonly<{ ok: false; trouble: RedisTrouble; because: string }>;

const AUTH_CODES: Readonly<Record<string, string>> = {
  WRONGPASS: 'refuses the user or password of the URL (WRONGPASS)',
  NOAUTH: 'asks for a password and the URL has none (NOAUTH)',
};

/** `ERR AUTH <password> called without …` of Redis 6 and older, and what a proxy answers to a wrong token. */
const isAuthMessage = (text: string): boolean => /invalid password|unauthori[sz]ed|\bAUTH\b/i.test(text);

/** Redis 7 names the user in its refusal (`User bob has no permissions …`): the name is left out. */
const withoutUser = (text: string): string => text.replace(/\bUser \S+ has no/i, 'this user has no');

/** How Lua reports a command that the ACL forbids inside of a script. */
const isForbiddenInScript = (text: string): boolean => /user executing the script can't/i.test(text);

/** Error codes of the socket, resolver and TLS layer, with what each means for the reader. */
const SOCKET: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the name does not resolve',
  EAI_AGAIN: 'the name does not resolve at the moment',
  // A plain Redis waits for the rest of what it takes for a command when it is greeted with TLS.
  ETIMEDOUT: 'no answer to the connection, or no TLS where the URL says rediss://',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ECONNRESET: 'it closed the connection; is TLS (rediss://) wanted there?',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not signed by a known authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not signed by a known authority',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; use redis://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS; use redis://',
};

/** Happy eyeballs wraps one error for each address that was tried. */
const codeOf = (error: unknown): string | undefined => {
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  if (typeof code === 'string') return code;
  return Array.isArray(errors) ? codeOf(errors[0] ?? {}) : undefined;
};

const authFailureOf = (text: string, address: string): string | undefined => {
  const code = text.split(' ', 1)[0] ?? '';
  const known = AUTH_CODES[code];
  if (known !== undefined) return `Redis at ${address} ${known}`;
  if (code === 'NOPERM' || isForbiddenInScript(text)) {
    return `Redis at ${address} forbids it to the user of the URL: ${withoutUser(text)}`;
  }
  return isAuthMessage(text) ? `Redis at ${address} refuses the user or password of the URL` : undefined;
};

/** What a Redis Cluster answers to keys of more than one slot, in a command or inside of a script. */
const isAcrossSlots = (text: string): boolean => /CROSSSLOT|non local key|same slot|^MOVED /i.test(text);

const NEEDS_HASH_TAG =
  'it is a Redis Cluster, where all keys of a queue must lie in one slot: put the prefix in braces where jobs are added, and write spec.queue.prefix: "{bull}"';

/** Why a queue cannot be read although Redis answers, in the words of Redis where they are all that there is to say. */
export const explainRefusal = (text: string): string => (isAcrossSlots(text) ? NEEDS_HASH_TAG : text);

/** Sentinels know no scripts; every Redis since 2.6 does. */
const isSentinel = (text: string): boolean => /unknown command '?`?EVAL\b/i.test(text);
const SENTINEL =
  'it knows no scripts, as a Sentinel does not: give the URL of the Redis itself, such as that of a Service that follows the master';

/** A short name means another Service in each namespace: the workers' is not the operator's. */
const hintOn = (code: string | undefined, address: string): string =>
  (code === 'ENOTFOUND' || code === 'EAI_AGAIN') && !address.includes('.')
    ? '; the operator looks it up in its own namespace: write NAME.NAMESPACE.svc'
    : '';

/** Redis 6 and 7.0 speak of one of the keys, newer ones of a key. */
const KEYS_FORBIDDEN = /permissions to access (?:a|one of the) key/i;

/** The user may not read a key that was named; what names other keys is served. */
export const isAboutKeys = ({ trouble, because }: RedisFailure): boolean =>
  trouble === 'RedisAuthFailed' && KEYS_FORBIDDEN.test(because);

/** What a user may not do says nothing of the way to Redis, which others share. */
export const isForbidden = (error: unknown): boolean => messageOf(error).startsWith('NOPERM');

const unusable = (address: string, why: string): RedisFailure => ({
  ok: false,
  trouble: 'RedisUrlInvalid',
  because: `Redis at ${address} cannot be used: ${why}`,
});

/** Sorts what went wrong on the way to the Redis at `address` (`host:port`) and says it in one sentence. */
export function redisFailure(error: unknown, address: string): RedisFailure {
  if (error instanceof LinkLocalError) return { ok: false, trouble: 'RedisUrlInvalid', because: error.message };
  const text = messageOf(error);
  const code = codeOf(error);
  const auth = code === undefined ? authFailureOf(text, address) : undefined;
  if (auth !== undefined) return { ok: false, trouble: 'RedisAuthFailed', because: auth };
  if (code === undefined && isAcrossSlots(text)) return unusable(address, NEEDS_HASH_TAG);
  if (code === undefined && isSentinel(text)) return unusable(address, SENTINEL);
  const meaning = code === undefined ? undefined : SOCKET[code];
  const why = meaning === undefined ? (code ?? text) : `${meaning} (${code})${hintOn(code, address)}`;
  return { ok: false, trouble: 'RedisUnreachable', because: `Redis at ${address} does not serve: ${why}` };
}
