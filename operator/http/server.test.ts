import { Counter, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { type HttpServer, type Probes, serveHttp } from './server.ts';

let server: HttpServer | undefined;
afterEach(() => server?.close());

const serve = async (probes: Partial<Probes> = {}, registry = new Registry()) => {
  server = await serveHttp({
    port: 0,
    registry,
    probes: { alive: () => undefined, ready: () => undefined, ...probes },
  });
  const { port } = server;
  return (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init);
};

describe('the operator for the kubelet and Prometheus', () => {
  it('says what is wrong when it is not ready, and is alive all the same', async () => {
    const get = await serve({ ready: () => 'the pods were not read yet' });
    const ready = await get('/readyz');
    expect([ready.status, await ready.text()]).toEqual([503, 'the pods were not read yet\n']);
    expect((await get('/healthz')).status).toBe(200);
  });

  it('gives its metrics as Prometheus text', async () => {
    const registry = new Registry();
    const counter = new Counter({ name: 'awp_test_total', help: 'x', registers: [registry] });
    counter.inc(3);
    const answer = await (await serve({}, registry))('/metrics');
    expect(answer.headers.get('content-type')).toContain('text/plain');
    expect(await answer.text()).toContain('awp_test_total 3');
  });

  it('answers nothing else, and no other method', async () => {
    const get = await serve();
    expect((await get('/')).status).toBe(404);
    expect((await get('/healthz', { method: 'POST' })).status).toBe(405);
    expect((await get('/healthz?verbose=1')).status).toBe(200);
  });
});
