import { connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { json, serve } from './server.ts';
import type { HttpServer, Routes } from './server.ts';

let server: HttpServer | undefined;
const errors: unknown[] = [];

afterEach(async () => {
  await server?.close();
  errors.length = 0;
});

const start = async (routes: Routes): Promise<string> => {
  server = await serve(routes, { port: 0, onError: (error) => errors.push(error) });
  return `http://127.0.0.1:${server.port}`;
};

const hello: Routes = { '/hello': { GET: async () => json(200, { hello: 'there' }) } };

it('answers a known path, with or without a query', async () => {
  const url = await start(hello);
  const response = await fetch(`${url}/hello?x=1`);
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await response.json()).toEqual({ hello: 'there' });
});

it('answers an unknown path with 404 and the paths that there are', async () => {
  const url = await start(hello);
  for (const path of ['/', '/nothing', '/toString', '//hello', '/hello/']) {
    const response = await fetch(`${url}${path}`);
    expect([path, response.status]).toEqual([path, 404]);
    expect(await response.json()).toEqual({ error: 'no such path', paths: ['/hello'] });
  }
});

it('answers another method with 405 and closes the connection, whatever body comes with it', async () => {
  const url = await start(hello);
  const response = await fetch(`${url}/hello`, { method: 'POST', body: 'x'.repeat(100_000) });
  expect(response.status).toBe(405);
  expect(response.headers.get('connection')).toBe('close');
  expect(await response.json()).toEqual({ error: 'method not allowed', methods: ['GET'] });
});

it('answers 500 without the cause when a handler throws, and hands the cause on', async () => {
  const url = await start({ '/fails': { GET: () => Promise.reject(new Error('secret')) } });
  const response = await fetch(`${url}/fails`);
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain('secret');
  expect(errors).toEqual([new Error('secret')]);
});

it('refuses headers beyond 8 KiB', async () => {
  const url = await start(hello);
  expect((await fetch(`${url}/hello`, { headers: { 'x-long': 'x'.repeat(9000) } })).status).toBe(431);
});

it('closes although a client holds a connection open', async () => {
  const url = await start(hello);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await server?.close();
  await closed;
});

it('says so when the port is taken', async () => {
  await start(hello);
  await expect(serve(hello, { port: server?.port ?? 0, onError: () => {} })).rejects.toThrow('EADDRINUSE');
});
