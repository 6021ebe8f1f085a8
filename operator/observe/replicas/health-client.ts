import { isIPv6 } from 'node:net';
import { Agent } from 'undici';
import type { ReplicaHealth } from '../../core/health/replica-health.ts';
import { type Known, type Millis, unknown } from '../../core/known.ts';
import { messageOf } from '../../kube/log.ts';
import { isLinkLocal } from '../link-local.ts';
import { readHealthReport } from './health-report.ts';

export type HealthTarget = Readonly<{ namespace: string; uid: string; name: string; ip: string; port: number }>;

const MAX_BYTES = 65_536;
/** Longer than the longest time between two checks, so that a connection is made once. */
const KEEP_ALIVE_MS = 60_000;

/** Asks one replica for its `/health`. Follows no redirect, connects to no link-local address, reads 64 KiB at most. */
export class HealthClient {
  readonly #agent = new Agent({
    connections: 1,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxResponseSize: MAX_BYTES,
    maxHeaderSize: 16_384,
  });
  readonly #now: () => Millis;

  constructor(now: () => Millis) {
    this.#now = now;
  }

  /** Never rejects. A replica that is degraded answers 503, with the same report. */
  async ask({ ip, port }: HealthTarget, timeoutMs: Millis): Promise<Known<ReplicaHealth>> {
    if (isLinkLocal(ip)) return unknown('it has a link-local address');
    try {
      const { statusCode, body } = await this.#agent.request({
        origin: `http://${isIPv6(ip) ? `[${ip}]` : ip}:${port}`,
        path: '/health',
        method: 'GET',
        headers: { accept: 'application/json' },
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await body.text();
      if (statusCode === 200 || statusCode === 503) return readHealthReport(text, this.#now());
      return unknown(`it answers /health with status ${statusCode}`);
    } catch (error) {
      return unknown(sentenceOf(error, timeoutMs));
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function sentenceOf(error: unknown, timeoutMs: Millis): string {
  const { name, code } = error as { name?: string; code?: string };
  if (name === 'TimeoutError') return `it did not answer /health within ${timeoutMs} ms`;
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return `its /health has more than ${MAX_BYTES} bytes`;
  return `it does not answer /health: ${code ?? messageOf(error)}`;
}
