import { isIPv6 } from 'node:net';
import { Agent } from 'undici';
import { z } from 'zod';
import type { ReplicaAnswer } from '../../core/drain/view.ts';
import { type Known, known, type Millis, unknown } from '../../core/known.ts';
import { messageOf } from '../../kube/log.ts';
import { isLinkLocal } from '../link-local.ts';
import { Gate } from './gate.ts';

/** Where a replica listens. */
export type ReplicaAddress = Readonly<{ uid: string; name: string; ip: string; port: number }>;

const TIMEOUT_MS = 1_000;
const MAX_BYTES = 65_536;
const CONCURRENCY = 64;
const KEEP_ALIVE_MS = 30_000;

const text = z.string().max(256);

/** The parts of a health report that a drain reads (docs/worker-endpoints.md); an image may say more. */
const healthReport = z.object({
  pod: text,
  processStartTime: text.min(1),
  cordonSecondsLeft: z.number().min(0),
  active: z.number().int().min(0),
  lastFinishAt: text.nullable(),
  lastFinishedJobId: text.nullable(),
});

/** The origin to call; undefined for an address that the operator connects to for nobody. */
export const originOf = ({ ip, port }: ReplicaAddress): string | undefined =>
  isLinkLocal(ip) ? undefined : `http://${isIPv6(ip) ? `[${ip}]` : ip}:${port}`;

/** Asks replicas whether they work, in the pass that wants to know. Follows no redirect, and reads no more than its limits allow. */
export class ReplicaWitness {
  readonly #now: () => Millis;
  readonly #agent = new Agent({
    connections: 1,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxResponseSize: MAX_BYTES,
    connect: { timeout: TIMEOUT_MS },
  });

  constructor({ now }: Readonly<{ now: () => Millis }>) {
    this.#now = now;
  }

  /** By UID, one for each replica; never rejects. */
  async ask(replicas: readonly ReplicaAddress[]): Promise<Readonly<Record<string, Known<ReplicaAnswer>>>> {
    const gate = new Gate(CONCURRENCY);
    const ask = async (replica: ReplicaAddress) => [replica.uid, await gate.run(() => this.#ask(replica))] as const;
    return Object.fromEntries(await Promise.all(replicas.map(ask)));
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #ask(replica: ReplicaAddress): Promise<Known<ReplicaAnswer>> {
    const origin = originOf(replica);
    if (origin === undefined) return unknown('it has a link-local address');
    try {
      const { statusCode, body } = await this.#agent.request({
        origin,
        path: '/health',
        method: 'GET',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      // 503: degraded, and a report all the same.
      if (statusCode !== 200 && statusCode !== 503) {
        await body.dump({ limit: 16_384 });
        return unknown(`it answers /health with status ${statusCode}`);
      }
      const report = healthReport.safeParse(await body.json());
      return report.success ? known(answerOf(report.data), this.#now()) : unknown('its /health does not say enough');
    } catch (error) {
      const { code } = error as { code?: string };
      return unknown(`it does not answer: ${code ?? messageOf(error)}`);
    }
  }
}

const answerOf = (report: z.infer<typeof healthReport>): ReplicaAnswer => ({
  name: report.pod,
  processStart: report.processStartTime,
  active: report.active,
  cordoned: report.cordonSecondsLeft > 0,
  lastFinished: report.lastFinishAt === null ? null : { job: report.lastFinishedJobId, at: report.lastFinishAt },
});
