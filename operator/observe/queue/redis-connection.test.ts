import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RedisConnection } from './redis-connection.ts';
import type { RedisTarget } from './redis-url.ts';

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** A server that treats each connection as it is told; not a Redis, so that it can misbehave. */
const serve = async (behave: (socket: Socket) => void): Promise<Server & { connections: number }> => {
  const sockets = new Set<Socket>();
  const server = Object.assign(createServer(), { connections: 0 });
  server.on('connection', (socket) => {
    server.connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    behave(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server;
};

const targetOf = (server: Server, more: Partial<RedisTarget> = {}): RedisTarget => {
  const { port } = server.address() as AddressInfo;
  return { host: '127.0.0.1', port, db: 0, tls: false, address: `127.0.0.1:${port}`, ...more };
};

const newConnection = (target: RedisTarget, now: () => number = Date.now) => {
  const connection = new RedisConnection(target, { now });
  cleanups.push(() => connection.close());
  return connection;
};

const ping = (connection: RedisConnection) => connection.run((client) => client.ping());

describe('a connection to Redis', () => {
  it('gives up within 2 s on a server that accepts and says nothing', async () => {
    const server = await serve(() => {});
    const started = performance.now();
    expect(await ping(newConnection(targetOf(server)))).toMatchObject({
      ok: false,
      trouble: 'RedisUnreachable',
      because: expect.stringContaining('no answer to the connection'),
    });
    expect(performance.now() - started).toBeLessThan(2_500);
  });

  it('asks a server that refuses the password ever more seldom, and answers the rest from memory', async () => {
    const server = await serve((socket) => {
      socket.on('data', () => socket.end('-WRONGPASS invalid username-password pair or user is disabled.\r\n'));
    });
    let now = 1_000_000;
    const target = targetOf(server, { username: 'bob', password: 's3cret' });
    const connection = newConnection(target, () => now);
    for (; now < 1_060_000; now += 100) {
      const answer = await ping(connection);
      expect(answer).toMatchObject({ ok: false, trouble: 'RedisAuthFailed' });
      expect(JSON.stringify(answer)).not.toMatch(/bob|s3cret/);
    }
    expect(server.connections).toBeGreaterThanOrEqual(4);
    expect(server.connections).toBeLessThanOrEqual(9);
  });

  it('tries a server that is gone at least every 2 s', async () => {
    const server = await serve((socket) => socket.destroy());
    let now = 1_000_000;
    const connection = newConnection(targetOf(server), () => now);
    for (; now < 1_060_000; now += 100) expect(await ping(connection)).toMatchObject({ trouble: 'RedisUnreachable' });
    expect(server.connections).toBeGreaterThanOrEqual(30);
    expect(server.connections).toBeLessThanOrEqual(80);
  });

  it('makes one attempt for all who ask at once', async () => {
    const server = await serve((socket) => socket.destroy());
    const connection = newConnection(targetOf(server), () => 1_000_000);
    const answers = await Promise.all(Array.from({ length: 50 }, () => ping(connection)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(server.connections).toBe(1);
  });

  it('says that TLS is not spoken where rediss:// meets a plain server', async () => {
    const server = await serve((socket) => void socket.on('data', () => socket.end('-ERR unknown command\r\n')));
    expect(await ping(newConnection(targetOf(server, { tls: true })))).toMatchObject({
      trouble: 'RedisUnreachable',
      because: expect.stringContaining('does not speak TLS'),
    });
  });

  it('says that a name does not resolve', async () => {
    const server = await serve(() => {});
    const connection = newConnection(targetOf(server, { host: 'redis.invalid', address: 'redis.invalid:6379' }));
    expect(await ping(connection)).toMatchObject({
      trouble: 'RedisUnreachable',
      because: expect.stringContaining('redis.invalid:6379 does not serve: the name does not resolve'),
    });
  });

  it('connects to no link-local address by whatever spelling', async () => {
    const server = await serve(() => {});
    const connection = newConnection(targetOf(server, { host: '2852039166', address: '2852039166:6379' }));
    expect(await ping(connection)).toMatchObject({
      trouble: 'RedisUrlInvalid',
      because: expect.stringContaining('169.254.169.254'),
    });
  });

  it('does not connect any more once it is closed', async () => {
    const server = await serve(() => {});
    const connection = newConnection(targetOf(server));
    connection.close();
    expect(await ping(connection)).toMatchObject({ ok: false });
    expect(server.connections).toBe(0);
  });

  it('prints nothing by itself', async () => {
    const warn = vi.spyOn(console, 'error').mockImplementation(() => {});
    const server = await serve((socket) => socket.destroy());
    await ping(newConnection(targetOf(server)));
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});
