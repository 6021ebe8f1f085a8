import { describe, expect, it } from 'vitest';
import { LinkLocalError } from '../link-local.ts';
import { redisFailure } from './redis-trouble.ts';

const at = 'redis.local:6379';
const socketError = (code: string) => Object.assign(new Error(`connect ${code} 10.0.0.1:6379`), { code });

describe('the sentence about a Redis that cannot be asked', () => {
  it.each([
    ['WRONGPASS invalid username-password pair or user is disabled.', 'RedisAuthFailed', /WRONGPASS/],
    ['NOAUTH Authentication required.', 'RedisAuthFailed', /NOAUTH/],
    ['NOAUTH HELLO must be called with the client already authenticated', 'RedisAuthFailed', /NOAUTH/],
    ['ERR invalid password', 'RedisAuthFailed', /refuses the user or password/],
    ["NOPERM User bob has no permissions to run the 'eval_ro' command", 'RedisAuthFailed', /run the 'eval_ro' command/],
    ["ERR The user executing the script can't run this command or subcommand", 'RedisAuthFailed', /forbids it/],
    ['LOADING Redis is loading the dataset in memory', 'RedisUnreachable', /LOADING/],
    ['Command timed out', 'RedisUnreachable', /timed out/],
  ])('%s', (message, trouble, because) => {
    const failure = redisFailure(new Error(message), at);
    expect(failure).toMatchObject({ ok: false, trouble, because: expect.stringMatching(because) });
    expect(failure.because).toContain(at);
  });

  it.each([
    ['ECONNREFUSED', /nothing listens/],
    ['ENOTFOUND', /does not resolve/],
    ['ETIMEDOUT', /no answer/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /self-signed/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', /does not speak TLS/],
    ['ESOMETHING', /ESOMETHING/],
  ])('%s is an outage', (code, because) => {
    expect(redisFailure(socketError(code), at)).toMatchObject({
      trouble: 'RedisUnreachable',
      because: expect.stringMatching(because),
    });
  });

  it('tells how to write a name that means another Service in each namespace', () => {
    const hint = /does not resolve \(ENOTFOUND\); .* write NAME\.NAMESPACE\.svc$/;
    expect(redisFailure(socketError('ENOTFOUND'), 'redis:6379').because).toMatch(hint);
    expect(redisFailure(socketError('ENOTFOUND'), at).because).not.toMatch(hint);
    expect(redisFailure(socketError('ECONNREFUSED'), 'redis:6379').because).not.toContain('NAMESPACE');
  });

  it('looks into the attempts when several addresses were tried', () => {
    const error = new AggregateError([socketError('ECONNREFUSED'), socketError('ECONNREFUSED')], '');
    expect(redisFailure(error, at).because).toBe(`Redis at ${at} does not serve: nothing listens there (ECONNREFUSED)`);
  });

  it('calls a link-local address a matter of the URL', () => {
    expect(redisFailure(new LinkLocalError('meta'), at)).toMatchObject({ trouble: 'RedisUrlInvalid' });
  });

  it('names no user, and no line after the first', () => {
    const { because } = redisFailure(new Error("NOPERM User bob has no permissions to run the 'x' command\nbob"), at);
    expect(because).not.toContain('bob');
  });
});
