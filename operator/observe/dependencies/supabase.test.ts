import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SupabaseChecker } from './supabase.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const serve = async (listener: RequestListener): Promise<string> => {
  const server: Server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const check = (url: string, { key = 'sb_secret', timeoutMs = 2000 } = {}) => {
  const checker = new SupabaseChecker();
  cleanups.push(() => checker.close());
  return checker.check({ url, key, table: 'agents' }, timeoutMs);
};

const answering = (status: number, headers: Record<string, string> = {}) =>
  serve((_, response) => response.writeHead(status, headers).end());

describe("the operator's check of Supabase", () => {
  it('asks for the head of the table with the key, and for no row', async () => {
    const asked: unknown[] = [];
    const url = await serve((request, response) => {
      asked.push(request.method, request.url, request.headers['apikey']);
      response.end();
    });
    expect(await check(`${url}/`)).toEqual({ ok: true });
    expect(asked).toEqual(['HEAD', '/rest/v1/agents?limit=1', 'sb_secret']);
    await check(`${url}/behind/a/gateway`);
    expect(asked[4]).toBe('/behind/a/gateway/rest/v1/agents?limit=1');
  });

  it('sends the older keys, which are JWTs, as PostgREST wants them too, and no other', async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      seen.push(request.headers['authorization']);
      response.end();
    });
    await check(url, { key: 'eyJhbGciOiJIUzI1NiJ9.e30.x' });
    await check(url);
    expect(seen).toEqual(['Bearer eyJhbGciOiJIUzI1NiJ9.e30.x', undefined]);
  });

  it.each([
    [200, { ok: true }],
    [206, { ok: true }],
    [401, { ok: false, kind: 'Refused', because: 'refuses the key (401)' }],
    [403, { ok: false, kind: 'Refused', because: 'refuses the key (403)' }],
    [404, { ok: false, kind: 'Refused', because: 'knows no table agents that the key may read (404)' }],
    [400, { ok: false, kind: 'Refused', because: 'answers 400' }],
    [429, { ok: false, kind: 'Outage', because: 'answers too many requests (429)' }],
    [500, { ok: false, kind: 'Outage', because: 'answers 500' }],
    [503, { ok: false, kind: 'Outage', because: 'answers 503' }],
  ])('takes %i for what it is', async (status, result) => {
    expect(await check(await answering(status))).toEqual(result);
  });

  it('follows no redirect', async () => {
    let followed = false;
    const elsewhere = await serve((_, response) => {
      followed = true;
      response.end();
    });
    const result = await check(await answering(302, { location: elsewhere }));
    expect(result).toMatchObject({ ok: false, kind: 'Refused', because: expect.stringContaining('redirect (302)') });
    expect(followed).toBe(false);
  });

  it('takes silence and a closed port for an outage', async () => {
    const silent = await serve(() => undefined);
    const because = 'did not answer within 200 ms';
    expect(await check(silent, { timeoutMs: 200 })).toEqual({ ok: false, kind: 'Outage', because });
    expect(await check('http://127.0.0.1:9')).toMatchObject({
      kind: 'Outage',
      because: 'does not answer: ECONNREFUSED',
    });
  });

  it.each(['http://169.254.169.254', 'http://[fe80::1]', 'http://[fd00:ec2::254]'])(
    'connects to no link-local address: %s',
    async (url) => {
      expect(await check(url)).toMatchObject({ kind: 'Refused', because: expect.stringContaining('link-local') });
    },
  );

  it.each(['', 'project.supabase.co', 'ftp://x', 'javascript:0'])('says of %j that it is no URL', async (url) => {
    expect(await check(url)).toMatchObject({ kind: 'Refused', because: expect.stringContaining('none') });
  });

  it('shows nothing of a key that cannot be sent', async () => {
    const result = await check(await answering(200), { key: 'secret\nvalue' });
    expect(result).toMatchObject({ ok: false, kind: 'Refused' });
    expect(JSON.stringify(result)).not.toContain('secret');
  });
});
