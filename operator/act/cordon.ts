import { Agent } from 'undici';
import { z } from 'zod';
import type { CordonOutcome } from '../core/drain/memory.ts';
import type { Millis } from '../core/known.ts';
import { messageOf } from '../kube/log.ts';

/** A call to one replica; `origin` is undefined where it has no address that may be called. */
export type CordonCall = Readonly<{ origin: string | undefined; token: string; seconds: number }>;

/** The replica waits a second for fetches that are under way (docs/worker-endpoints.md). */
const TIMEOUT_MS = 3_000;
const MAX_BYTES = 16_384;
/** Of an image that has no cordon. */
const NO_SUCH_CALL: ReadonlySet<number> = new Set([404, 405, 501]);
const UNAUTHORIZED = 401;
const cordonAnswer = z.object({ processStartTime: z.string().min(1).max(256) });

/** Tells replicas to take no new job, or to work again. Never rejects, follows no redirect. */
export class Cordoner {
  readonly #now: () => Millis;
  /** Told to write only while this process leads. */
  readonly #mayAct: () => boolean;
  readonly #agent = new Agent({
    connections: 4,
    pipelining: 1,
    maxResponseSize: MAX_BYTES,
    connect: { timeout: 1_000 },
  });

  constructor({ now, mayAct }: Readonly<{ now: () => Millis; mayAct: () => boolean }>) {
    this.#now = now;
    this.#mayAct = mayAct;
  }

  /** `seconds` 0: it works again. */
  async tell({ origin, token, seconds }: CordonCall): Promise<CordonOutcome> {
    const path = seconds === 0 ? '/uncordon' : '/cordon';
    if (origin === undefined) return { kind: 'failed', because: 'it has no address that may be called' };
    if (!this.#mayAct()) return { kind: 'failed', because: 'this operator does not lead any more' };
    const sentAt = this.#now();
    try {
      const { statusCode, body } = await this.#agent.request({
        origin,
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-agentpool-token': token },
        ...(seconds === 0 ? {} : { body: JSON.stringify({ seconds }) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (statusCode !== 200) {
        await body.dump({ limit: MAX_BYTES });
        const because = `it answers ${path} with status ${statusCode}`;
        if (NO_SUCH_CALL.has(statusCode)) return { kind: 'absent', because };
        return { kind: 'failed', because, ...(statusCode === UNAUTHORIZED ? { unauthorized: true } : {}) };
      }
      const answer = cordonAnswer.safeParse(await body.json());
      if (!answer.success) return { kind: 'failed', because: `its answer to ${path} does not name its process` };
      return { kind: 'cordoned', processStart: answer.data.processStartTime, sentAt, answeredAt: this.#now() };
    } catch (error) {
      const { code } = error as { code?: string };
      return { kind: 'failed', because: `it does not answer ${path}: ${code ?? messageOf(error)}` };
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
