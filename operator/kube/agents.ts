import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import type { Credentials } from './credentials.ts';

/** Time limits in milliseconds and sizes of the connection pools. */
export type ConnectionLimits = Readonly<{
  connectMs: number;
  /** From the request's last byte to the answer's headers. */
  headersMs: number;
  /** Longest silence within the body of a call. */
  bodyMs: number;
  /** Longest silence within a watch: the server sends a bookmark about every minute. */
  inactivityMs: number;
  /** Open connections for calls. Watches are not limited: each holds one of its own. */
  connections: number;
  maxResponseBytes: number;
}>;

/** Connections to one server with one set of TLS credentials. */
export type Agents = Readonly<Record<Lane, Dispatcher> & { origin: string; prefix: string; host: string }>;

/** Calls and watches have connections of their own; the lease has a transport of its own, in its thread. */
export type Lane = 'calls' | 'watches';

/** Keeps the agents of the newest credentials; older ones are closed once their last request has ended. */
export type AgentPool = Readonly<{
  for(credentials: Credentials): Agents;
  /** The host that was asked for last, for metrics. */
  host(): string;
  close(): Promise<void>;
}>;

/**
 * HTTP/1.1 only: on HTTP/2 one dead connection carries every request, and aborting a request does not replace the
 * connection (docs/adr has the measurement). Idle sockets are kept for a minute, less than the API server keeps them.
 */
export function createAgentPool(limits: ConnectionLimits): AgentPool {
  let current: { fingerprint: string; agents: Agents } | undefined;
  const closing = new Set<Promise<unknown>>();

  const retire = (agents: Agents) => {
    const closed = Promise.allSettled([agents.calls.close(), agents.watches.close()]);
    closing.add(closed);
    void closed.then(() => closing.delete(closed));
  };
  return {
    for(credentials) {
      const fingerprint = JSON.stringify([credentials.server, credentials.tls, credentials.proxyUrl]);
      if (current?.fingerprint !== fingerprint) {
        const agents = openAgents(credentials, limits);
        if (current) retire(current.agents);
        current = { fingerprint, agents };
      }
      return current.agents;
    },
    host: () => current?.agents.host ?? '',
    async close() {
      const agents = current?.agents;
      current = undefined;
      if (agents) await Promise.all([agents.calls.destroy(), agents.watches.destroy()]);
      await Promise.race([Promise.all(closing), new Promise((resolve) => setTimeout(resolve, 100).unref())]);
    },
  };
}

function openAgents(credentials: Credentials, limits: ConnectionLimits): Agents {
  const server = new URL(credentials.server);
  return {
    calls: openAgent(credentials, { limits, bodyTimeout: limits.bodyMs, connections: limits.connections }),
    watches: openAgent(credentials, { limits, bodyTimeout: limits.inactivityMs, connections: null }),
    origin: server.origin,
    prefix: server.pathname.replace(/\/+$/, ''),
    host: server.host,
  };
}

type AgentShape = { limits: ConnectionLimits; bodyTimeout: number; connections: number | null };

function openAgent(credentials: Credentials, { limits, bodyTimeout, connections }: AgentShape): Dispatcher {
  const options = {
    allowH2: false,
    pipelining: 1,
    connections,
    bodyTimeout,
    headersTimeout: limits.headersMs,
    keepAliveTimeout: 60_000,
    keepAliveMaxTimeout: 80_000,
  };
  const { proxyUrl, tls } = credentials;
  if (proxyUrl === undefined) {
    return new Agent({
      ...options,
      connect: { ...tls, timeout: limits.connectMs, keepAlive: true, keepAliveInitialDelay: 15_000 },
    });
  }
  if (!/^https?:/.test(proxyUrl)) {
    throw new Error('the kubeconfig asks for a proxy that is not http(s); use an HTTP proxy for the API server');
  }
  return new ProxyAgent({ ...options, uri: proxyUrl, requestTls: tls, connectTimeout: limits.connectMs });
}
