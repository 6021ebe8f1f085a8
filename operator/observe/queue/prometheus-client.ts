import { createHash } from 'node:crypto';
import { Agent } from 'undici';
import { type Known, type Millis, unknown } from '../../core/known.ts';
import { messageOf } from '../../kube/log.ts';
import { guardedLookup, isLinkLocal, LinkLocalError } from '../link-local.ts';
import { firstLineOf, numberIn } from './prometheus-answer.ts';

/** One question to one server. */
export type PrometheusQuestion = Readonly<{
  /** http:// or https://, with the path below which `/api/v1` lies. */
  url: string;
  query: string;
  /** Sent as `Authorization: Bearer`. */
  token?: string;
  /** Certificates (PEM) to trust in place of the system's. */
  ca?: string;
}>;

export type PrometheusClientOptions = Readonly<{ now: () => Millis; timeoutMs?: number; keptMs?: Millis }>;

const TIMEOUT_MS = 2_000;
/** Prometheus scrapes every few seconds at the most often: asking more often gives the same number. */
const KEPT_MS: Millis = 5_000;
const MAX_BYTES = 262_144;
/** Agents that nobody has asked for so long are closed. */
const AGENT_IDLE_MS: Millis = 10 * 60_000;

type Kept = Readonly<{ key: string; at: Millis; answer: Promise<Known<number>> }>;

/** Asks Prometheus servers instant queries. Follows no redirect, connects to no link-local address, reads a bounded answer. */
export class PrometheusClient {
  readonly #now: () => Millis;
  readonly #timeoutMs: number;
  readonly #keptMs: Millis;
  readonly #agents = new Map<string, { agent: Agent; usedAt: Millis }>();
  readonly #kept = new Map<string, Kept>();

  constructor({ now, timeoutMs = TIMEOUT_MS, keptMs = KEPT_MS }: PrometheusClientOptions) {
    this.#now = now;
    this.#timeoutMs = timeoutMs;
    this.#keptMs = keptMs;
  }

  /** The number that the query gives. Never rejects; the sentence names host and port, no token and no query. */
  ask(poolKey: string, question: PrometheusQuestion): Promise<Known<number>> {
    const key = JSON.stringify(question);
    const kept = this.#kept.get(poolKey);
    if (kept !== undefined && kept.key === key && this.#now() - kept.at < this.#keptMs) return kept.answer;
    const answer = this.#ask(question);
    this.#kept.set(poolKey, { key, at: this.#now(), answer });
    return answer;
  }

  forget(poolKey: string): void {
    this.#kept.delete(poolKey);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map(({ agent }) => agent.destroy()));
    this.#agents.clear();
  }

  async #ask(question: PrometheusQuestion): Promise<Known<number>> {
    const { host, hostname } = new URL(question.url);
    const said = (because: string): Known<number> => unknown(`Prometheus at ${host}: ${because}`);
    if (question.token !== undefined && !/^[\x21-\x7e]+$/.test(question.token))
      return said('the token in its Secret is empty, or has a character that no token has, such as a space');
    if (isLinkLocal(hostname)) return said('a link-local address; the operator connects to none');
    try {
      const { status, body } = await this.#fetch(question);
      // Prometheus says in JSON what is wrong with a query (400, 422) and that it cannot serve (503).
      const number = numberIn(body, this.#now());
      if (status === 200) return number.ok ? number : said(number.because);
      const words = body.startsWith('{') && !number.ok ? number.because : firstLineOf(body);
      return said(`it answers with status ${status}${words === '' ? '' : `: ${words}`}`);
    } catch (error) {
      return said(this.#sentenceOf(error));
    }
  }

  async #fetch({ url, query, token, ca }: PrometheusQuestion): Promise<Readonly<{ status: number; body: string }>> {
    const { statusCode, body } = await this.#agentFor(ca).request({
      origin: new URL(url).origin,
      path: `${new URL(url).pathname.replace(/\/+$/, '')}/api/v1/query`,
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: new URLSearchParams({ query, timeout: `${this.#timeoutMs}ms` }).toString(),
      signal: AbortSignal.timeout(this.#timeoutMs),
    });
    return { status: statusCode, body: await body.text() };
  }

  #agentFor(ca: string | undefined): Agent {
    const now = this.#now();
    for (const [key, { agent, usedAt }] of this.#agents) {
      if (now - usedAt < AGENT_IDLE_MS) continue;
      this.#agents.delete(key);
      void agent.close();
    }
    const key = ca === undefined ? '' : createHash('sha256').update(ca).digest('hex');
    const agent = this.#agents.get(key)?.agent ?? this.#newAgent(ca);
    this.#agents.set(key, { agent, usedAt: now });
    return agent;
  }

  #newAgent(ca: string | undefined): Agent {
    return new Agent({
      allowH2: false,
      connections: 4,
      maxResponseSize: MAX_BYTES,
      maxHeaderSize: 16_384,
      connect: { timeout: this.#timeoutMs, lookup: guardedLookup, ...(ca === undefined ? {} : { ca }) },
    });
  }

  #sentenceOf(error: unknown): string {
    const { name, code } = error as { name?: string; code?: string };
    if (error instanceof LinkLocalError) return error.message;
    if (name === 'TimeoutError' || code === 'UND_ERR_CONNECT_TIMEOUT')
      return `it did not answer within ${this.#timeoutMs} ms`;
    if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return `it answers with more than ${MAX_BYTES} bytes`;
    return `it does not answer: ${code ?? messageOf(error)}`;
  }
}
