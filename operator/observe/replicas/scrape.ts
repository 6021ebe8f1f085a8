import { isIPv6 } from 'node:net';
import { Agent } from 'undici';
import { type Known, type Millis, unknown } from '../../core/known.ts';
import type { QueueSnapshot, ReplicaReport } from '../../core/state.ts';
import { messageOf } from '../../kube/log.ts';
import { isLinkLocal } from '../link-local.ts';
import { type Exposition, ExpositionError, parseExposition } from '../queue/exposition.ts';
import { OWN_METRICS, queueOf, reportOf, WANTED_SERIES } from './gauges.ts';
import { Gate } from './gate.ts';

/** A replica's metrics port: the container port `http` of the container `worker`, 3001 when it names none. */
export type ScrapeTarget = Readonly<{ uid: string; name: string; ip: string; port: number; ready: boolean }>;

export type Scraped = Readonly<{
  /** By the replica's UID; one entry for each target. */
  reports: ReadonlyMap<string, Known<ReplicaReport>>;
  /** From the first ready replica that has it; undefined when no replica is ready. */
  queue?: Known<QueueSnapshot>;
}>;

export type ScraperOptions = Readonly<{
  now: () => Millis;
  timeoutMs?: number;
  maxBytes?: number;
  /** Requests under way at once for one pool: a pool whose replicas hang makes no other wait. */
  concurrency?: number;
}>;

const METRICS_PATH = '/metrics/prometheus';
/** Other images may answer with all that they have. */
const OWN_PATH = `${METRICS_PATH}?${new URLSearchParams(OWN_METRICS.map((name): [string, string] => ['name[]', name])).toString()}`;
/** How many more replicas are asked for the queue when the first does not have it. */
const MORE_TRIES = 2;
/** A replica that did not have the queue is the last to be asked for it for so long. */
const UNFIT_MS: Millis = 10_000;
const TIMEOUT_MS = 1_000;
const MAX_BYTES = 1_048_576;
const CONCURRENCY = 64;
/** Longer than the time between two scrapes, so that a connection is made once. */
const KEEP_ALIVE_MS = 30_000;

/** `whole`: UID of the replica that is asked for the queue too. */
type Asked = Readonly<{ queue: string; whole: string | undefined }>;
type Answer = Readonly<{ report: Known<ReplicaReport>; queue: Known<QueueSnapshot> }>;

const failed = (because: string): Answer => ({ report: unknown(because), queue: unknown(because) });

const originOf = ({ ip, port }: ScrapeTarget): string => `http://${isIPv6(ip) ? `[${ip}]` : ip}:${port}`;

/** Asks replicas for their Prometheus text. Follows no redirect, and reads no more than its limits allow. */
export class Scraper {
  readonly #now: () => Millis;
  readonly #timeoutMs: number;
  readonly #concurrency: number;
  readonly #maxBytes: number;
  readonly #agent: Agent;
  readonly #unfitUntil = new Map<string, Millis>();

  constructor(options: ScraperOptions) {
    const { now, timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES, concurrency = CONCURRENCY } = options;
    this.#now = now;
    this.#timeoutMs = timeoutMs;
    this.#concurrency = concurrency;
    this.#maxBytes = maxBytes;
    this.#agent = new Agent({
      connections: 1,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      maxResponseSize: maxBytes,
      maxHeaderSize: 16_384,
      connect: { timeout: timeoutMs },
    });
  }

  /**
   * Asks all targets of one pool at once for themselves, and one that is ready for the queue too; another one when that
   * does not have it. Never rejects. `queue` is the `queue` label of the series.
   */
  async scrape(targets: readonly ScrapeTarget[], queue: string): Promise<Scraped> {
    const gate = new Gate(this.#concurrency);
    const candidates = this.#inOrder(targets.filter(({ ready }) => ready));
    const asked = { queue, whole: candidates[0]?.uid };
    const answers = await Promise.all(targets.map((target) => gate.run(() => this.#ask(target, asked))));
    const byUid = new Map(targets.map(({ uid }, index) => [uid, answers[index] ?? failed('not asked')]));
    const reports = new Map([...byUid].map(([uid, { report }]) => [uid, report]));
    const [first] = candidates;
    if (first === undefined) return { reports };
    // An image that knows no selection has said it all already.
    const known = candidates.map(({ uid }) => byUid.get(uid)?.queue).find((each) => each?.ok);
    const others = known ?? (await this.#askOthers(candidates, queue));
    return { reports, queue: others ?? byUid.get(first.uid)?.queue ?? unknown('not asked') };
  }

  /** The first one did not have the queue. */
  async #askOthers(
    [first, ...others]: readonly ScrapeTarget[],
    queue: string,
  ): Promise<Known<QueueSnapshot> | undefined> {
    if (first !== undefined) this.#unfitUntil.set(first.uid, this.#now() + UNFIT_MS);
    for (const target of others.slice(0, MORE_TRIES)) {
      const { queue: answer } = await this.#ask(target, { queue, whole: target.uid });
      if (answer.ok) return answer;
      this.#unfitUntil.set(target.uid, this.#now() + UNFIT_MS);
    }
    return undefined;
  }

  /** Those that lately did not have the queue come last. */
  #inOrder(ready: readonly ScrapeTarget[]): readonly ScrapeTarget[] {
    const now = this.#now();
    for (const [uid, until] of this.#unfitUntil) if (until <= now) this.#unfitUntil.delete(uid);
    return ready.toSorted((a, b) => Number(this.#unfitUntil.has(a.uid)) - Number(this.#unfitUntil.has(b.uid)));
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #ask(target: ScrapeTarget, { queue, whole }: Asked): Promise<Answer> {
    if (isLinkLocal(target.ip)) return failed(`replica ${target.name} has a link-local address`);
    try {
      const exposition = await this.#fetch(target, target.uid === whole ? METRICS_PATH : OWN_PATH);
      if (typeof exposition === 'string') return failed(`replica ${target.name} ${exposition}`);
      const at = this.#now();
      const named = <T>(value: Known<T>): Known<T> =>
        value.ok ? value : unknown(`replica ${target.name}: ${value.because}`);
      return { report: named(reportOf(exposition, queue, at)), queue: named(queueOf(exposition, queue, at)) };
    } catch (error) {
      return failed(`replica ${target.name} ${this.#sentenceOf(error)}`);
    }
  }

  /** The text, or what the replica answered instead. */
  async #fetch(target: ScrapeTarget, path: string): Promise<Exposition | string> {
    const { statusCode, body } = await this.#agent.request({
      origin: originOf(target),
      path,
      method: 'GET',
      headers: { accept: 'text/plain; version=0.0.4' },
      signal: AbortSignal.timeout(this.#timeoutMs),
    });
    if (statusCode !== 200) {
      await body.dump({ limit: 16_384 });
      return `answers ${METRICS_PATH} with status ${statusCode}`;
    }
    return parseExposition(await body.text(), { keep: WANTED_SERIES });
  }

  #sentenceOf(error: unknown): string {
    const { name, code } = error as { name?: string; code?: string };
    if (error instanceof ExpositionError) return `gives metrics that cannot be read: ${error.message}`;
    if (name === 'TimeoutError' || code === 'UND_ERR_CONNECT_TIMEOUT')
      return `did not answer within ${this.#timeoutMs} ms`;
    if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return `gives more than ${this.#maxBytes} bytes of metrics`;
    return `does not answer: ${code ?? messageOf(error)}`;
  }
}
