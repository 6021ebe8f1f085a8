import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** What the endpoints ask; the answer is a sentence that says what is wrong, or undefined when all is well. */
export type Probes = Readonly<{
  /** This process makes progress. Never about Redis, the API server or another process. */
  alive: () => string | undefined;
  /** The caches are filled, and it may lead; a standby is ready. */
  ready: () => string | undefined;
}>;

export type HttpServer = Readonly<{ port: number; close: () => Promise<void> }>;

/** `/healthz`, `/readyz` and `/metrics`, for the kubelet and Prometheus; everything else is 404, other methods 405. */
export async function serveHttp(
  options: Readonly<{ port: number; probes: Probes; registry: Registry }>,
): Promise<HttpServer> {
  const server = createServer({ requestTimeout: 5000, headersTimeout: 5000 }, (request, response) => {
    void respond(request, response, options);
  });
  server.maxConnections = 256;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { probes, registry }: Readonly<{ probes: Probes; registry: Registry }>,
): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'only GET is answered here\n');
  switch (path) {
    case '/healthz':
      return sendProbe(response, probes.alive());
    case '/readyz':
      return sendProbe(response, probes.ready());
    case '/metrics':
      response.setHeader('content-type', registry.contentType);
      return send(response, 200, await registry.metrics());
    default:
      return send(response, 404, 'try /healthz, /readyz or /metrics\n');
  }
}

const sendProbe = (response: ServerResponse, trouble: string | undefined): void =>
  send(
    response,
    trouble === undefined ? 200 : 503,
    `${trouble ?? 'ok'}
`,
  );

function send(response: ServerResponse, status: number, body: string): void {
  response.statusCode = status;
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(body);
}
