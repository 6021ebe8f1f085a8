import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { checkSupabase } from './supabase.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

const listen = async (server: Server): Promise<string> => {
  servers.push(server);
  server.on('connection', (socket: Socket) => sockets.push(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const seen: IncomingMessage[] = [];
const answering = (respond: (response: ServerResponse) => void) =>
  listen(
    createServer((request, response) => {
      seen.push(request);
      respond(response);
    }),
  );

const check = (url: string, key = 'sb_secret_of-the-project', limitMs = 5_000) =>
  checkSupabase({ url, key, table: 'jobs' }, limitMs);

it('asks for the head of the table, with the key, and measures the answer', async () => {
  const url = await answering((response) => response.writeHead(206).end());
  expect(await check(url)).toEqual({ ok: true, latencyMs: expect.any(Number) });
  const request = seen.at(-1);
  expect([request?.method, request?.url]).toEqual(['HEAD', '/rest/v1/jobs?limit=1']);
  expect(request?.headers).toMatchObject({ apikey: 'sb_secret_of-the-project' });
  expect(request?.headers.authorization).toBeUndefined();
});

it('sends a key of the older kind as a bearer token too, and keeps a path of the URL', async () => {
  const url = await answering((response) => response.writeHead(200).end());
  await check(`${url}/behind/proxy`, 'eyJhbGciOi.J9.x');
  expect(seen.at(-1)?.url).toBe('/behind/proxy/rest/v1/jobs?limit=1');
  expect(seen.at(-1)?.headers.authorization).toBe('Bearer eyJhbGciOi.J9.x');
});

it.each([
  [401, 'Refused', 'Supabase answers 401: it does not accept SUPABASE_SERVICE_ROLE_KEY'],
  [403, 'Refused', 'Supabase answers 403: the key may not read the table jobs'],
  [404, 'Refused', 'Supabase answers 404: there is no table jobs, or SUPABASE_URL is not that of a project'],
  [307, 'Refused', 'Supabase answers 307: not the answer of a Supabase project that is well'],
  [500, 'Outage', 'Supabase answers 500'],
  [503, 'Outage', 'Supabase answers 503'],
  [540, 'Outage', 'Supabase answers 540'],
])('takes %i for %s', async (status, kind, because) => {
  const url = await answering((response) => response.writeHead(status, { location: '/elsewhere' }).end());
  expect(await check(url)).toEqual({ ok: false, kind, because });
});

it('takes one that hangs, that is not there and that talks something else for an outage', async () => {
  const hanging = await listen(createTcpServer());
  expect(await check(hanging, 'key', 200)).toEqual({
    ok: false,
    kind: 'Outage',
    because: 'Supabase did not answer within 200 ms',
  });
  expect(await check('http://127.0.0.1:1')).toMatchObject({
    kind: 'Outage',
    because: expect.stringMatching(/^Supabase cannot be reached: \w/),
  });
  const other = await listen(createTcpServer((socket) => void socket.end('SSH-2.0-x\r\n')));
  expect(await check(other)).toMatchObject({ ok: false, kind: 'Outage' });
});
