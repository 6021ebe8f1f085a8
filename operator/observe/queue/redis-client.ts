import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis } from 'ioredis';
import { guardedLookup } from '../link-local.ts';
import type { RedisTarget } from './redis-url.ts';

/** Shows the operator's connections in CLIENT LIST. */
export const CLIENT_NAME = 'agent-worker-pool-operator';

export const CONNECT_TIMEOUT_MS = 2_000;
export const COMMAND_TIMEOUT_MS = 2_000;
/** How long a closed connection may linger for its last bytes before the socket is destroyed. */
const CLOSE_TIMEOUT_MS = 500;

type Stream = Awaited<ReturnType<AbstractConnector['connect']>>;

/** ioredis gives a name to the socket without a way to check what it resolves to; this opens the socket with one. */
const connectorTo = (target: RedisTarget) =>
  class extends AbstractConnector {
    constructor() {
      super(CLOSE_TIMEOUT_MS);
    }

    override async connect(): Promise<Stream> {
      const { host, port } = target;
      const where = { host, port, lookup: guardedLookup };
      const servername = isIP(host) === 0 ? { servername: host } : {};
      const stream = target.tls ? connectTls({ ...where, ...servername }) : connectTcp(where);
      stream.once('error', (error) => {
        this.firstError = error;
      });
      this.stream = stream;
      return stream;
    }
  };

/**
 * A client that connects once and never by itself again: who uses it decides when to try anew, so that a wrong
 * password or a dead Redis is asked no oftener than its owner wants, and no command waits in a queue for it.
 * `commandTimeoutMs` also bounds the handshake.
 */
export function newRedisClient(target: RedisTarget, commandTimeoutMs: number): Redis {
  return new Redis({
    host: target.host,
    port: target.port,
    db: target.db,
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.tls ? { tls: {} } : {}),
    Connector: connectorTo(target),
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: commandTimeoutMs,
    keepAlive: 30_000,
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    // INFO is a right that the operator does not need: a Redis that is still loading says so at the first command.
    enableReadyCheck: false,
    disableClientInfo: true,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  });
}
