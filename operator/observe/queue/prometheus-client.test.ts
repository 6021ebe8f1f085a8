import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { PrometheusClient, type PrometheusClientOptions } from './prometheus-client.ts';
import { defaultQuery } from './prometheus-query.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let now = Date.now();
const newClient = (options: Partial<PrometheusClientOptions> = {}) => {
  const client = new PrometheusClient({ now: () => now, ...options });
  cleanups.push(() => client.close());
  return client;
};

/** A server that answers as it is told; a real Prometheus does not misbehave like that. */
const serve = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
const good = () =>
  JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [{ value: [now / 1000, '7'] }] } });
const ask = async (listener: RequestListener, options: Partial<PrometheusClientOptions> = {}) =>
  newClient(options).ask('ns/a', { url: await serve(listener), query: 'q' });

const bodyOf = async (request: IncomingMessage) => {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
};

it('asks one instant query, with the token, below the path of the address', async () => {
  const asked: string[] = [];
  const url = await serve((request, response) => {
    void bodyOf(request).then((body) => {
      asked.push(
        `${request.method} ${request.url} ${request.headers.authorization} ${new URLSearchParams(body).get('query')}`,
      );
      response.end(good());
    });
  });
  const answer = await newClient().ask('ns/a', { url: `${url}/select/0/`, query: 'max(a{b="c"})', token: 't0ken' });
  expect(answer).toEqual({ ok: true, value: 7, at: expect.any(Number) });
  expect(asked).toEqual(['POST /select/0/api/v1/query Bearer t0ken max(a{b="c"})']);
});

it('asks again only after 5 s, and at once when the question is another one', async () => {
  let asked = 0;
  const url = await serve((_, response) => {
    asked += 1;
    response.end(good());
  });
  const client = newClient();
  await Promise.all([client.ask('ns/a', { url, query: 'q' }), client.ask('ns/a', { url, query: 'q' })]);
  now += 4_999;
  await client.ask('ns/a', { url, query: 'q' });
  expect(asked).toBe(1);
  await client.ask('ns/a', { url, query: 'other' });
  expect(asked).toBe(2);
  now += 5_000;
  await client.ask('ns/a', { url, query: 'other' });
  expect(asked).toBe(3);
});

it.each<[string, RequestListener, RegExp]>([
  [
    'refuses the query',
    (_, response) =>
      response.writeHead(400).end('{"status":"error","errorType":"bad_data","error":"1:3: parse error"}'),
    /status 400: it refuses the query: bad_data: 1:3: parse error/,
  ],
  [
    'refuses the token',
    (_, response) => response.writeHead(401).end('Unauthorized\nmore'),
    /status 401: Unauthorized$/,
  ],
  [
    'sends elsewhere',
    (_, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
    /status 302$/,
  ],
  ['never answers', () => {}, /did not answer within 100 ms/],
  ['hangs up', (request) => request.socket.destroy(), /does not answer/],
  ['answers without end', (_, response) => void response.write('['.repeat(300_000)), /more than 262144 bytes/],
])('is unknown, with the reason, when the server %s', async (_, listener, because) => {
  // The limit is for the one that never answers; on a busy machine the others take their time.
  const answer = await ask(listener, { timeoutMs: because.source.includes('did not') ? 100 : 20_000 });
  expect(answer).toEqual({ ok: false, because: expect.stringMatching(because) });
  expect(!answer.ok && answer.because).toMatch(/^Prometheus at 127\.0\.0\.1:\d+: /);
});

it('connects to no link-local address', async () => {
  const answer = await newClient().ask('ns/a', { url: 'http://169.254.169.254', query: 'q' });
  expect(answer).toEqual({ ok: false, because: expect.stringContaining('link-local') });
});

it('writes a query for a queue of any name', () => {
  const query = defaultQuery({ queue: 'a"b\\c', namespace: 'ns' });
  expect(query).toContain('queue="a\\"b\\\\c",namespace="ns"');
});
