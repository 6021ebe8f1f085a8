import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

// Not by import: that reads every export of the module, one of which loads Node's WebSocket client. A worker that starts
// from zero would be ready a fifth later.
const { createServer } = process.getBuiltinModule('node:http');

/** What a route answers. */
export type Reply = Readonly<{ status: number; contentType: string; body: string }>;

export type RouteHandler = (request: IncomingMessage) => Promise<Reply>;

/** Path, without a query, to the methods that it takes. */
export type Routes = Readonly<Record<string, Readonly<Partial<Record<'GET' | 'POST', RouteHandler>>>>>;

export type HttpServer = Readonly<{ port: number; close: () => Promise<void> }>;

export const json = (status: number, body: unknown): Reply => ({
  status,
  contentType: 'application/json; charset=utf-8',
  body: `${JSON.stringify(body)}\n`,
});

/**
 * Serves the routes on all addresses. Bounded on every side, since nobody authenticates to it: connections, size and
 * time of a request, idle time.
 *
 * @param options port 0 takes any free one; a handler that throws is answered by 500 and given to `onError`.
 * @throws when the port cannot be listened on.
 */
export const serve = async (
  routes: Routes,
  options: Readonly<{ port: number; onError: (error: unknown) => void }>,
): Promise<HttpServer> => {
  const server = createServer(
    // Idle connections outlive those of the clients (the operator's last 30 s): who closes first may cut off a request.
    { maxHeaderSize: 8_192, headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 65_000 },
    (request, response) => {
      answer(routes, request)
        .catch((error: unknown) => {
          options.onError(error);
          return json(500, { error: 'the request failed; the log of this worker says why' });
        })
        .then((reply) => send(request, response, reply))
        .catch(options.onError);
    },
  );
  server.maxConnections = 256;
  await listen(server, options.port);
  server.on('error', options.onError);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const listen = (server: Server, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => {
      server.off('error', reject);
      resolve();
    });
  });

const answer = async (routes: Routes, request: IncomingMessage): Promise<Reply> => {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const methods = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (!methods) return json(404, { error: 'no such path', paths: Object.keys(routes) });
  const handle = methods[request.method as keyof typeof methods];
  return handle ? handle(request) : json(405, { error: 'method not allowed', methods: Object.keys(methods) });
};

const send = (request: IncomingMessage, response: ServerResponse, reply: Reply): void => {
  response.writeHead(reply.status, {
    'content-type': reply.contentType,
    'content-length': Buffer.byteLength(reply.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // A body that no handler read is not read to its end either.
    ...(request.method === 'GET' ? {} : { connection: 'close' }),
  });
  response.end(reply.body);
};
