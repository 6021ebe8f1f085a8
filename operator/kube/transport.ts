import { type AgentPool, type Agents, type ConnectionLimits, createAgentPool, type Lane } from './agents.ts';
import { type Answer, isNetworkError, noAnswer, readStream, readText, refusal } from './answers.ts';
import { fullJitter } from './backoff.ts';
import type { Credentials, CredentialSource } from './credentials.ts';
import { type CureOfMissingRight, isTerminalRefusal, KubeError } from './errors.ts';
import { type Logger, messageOf, silentLogger } from './log.ts';
import { initRequestMetrics, type RequestMetrics } from './metrics.ts';
import { createTokenBucket, type RateLimit, type TokenBucket } from './rate-limit.ts';
import type { KubeRequest } from './request.ts';
import { asError, linkedSignal, sleep } from './wait.ts';

/**
 * HTTP to the API server. Errors are `KubeError`; an aborted `signal` rejects with its reason. 429 is repeated as
 * Retry-After says; 5xx and network errors of idempotent requests with full jitter; 401 once with renewed credentials.
 */
export type KubeTransport = {
  /** The answer's JSON. */
  request<T>(request: KubeRequest): Promise<T>;
  /** The answer's body as it arrives, for watches. Ends the connection when the consumer stops early. */
  stream(request: KubeRequest): Promise<AsyncIterable<Buffer>>;
  /** The answer's body as text. */
  text(request: KubeRequest): Promise<string>;
  close(): Promise<void>;
};

export type TransportLimits = ConnectionLimits &
  Readonly<{
    /** Longest time for one attempt of a call, its body included. */
    callMs: number;
    /** Attempts after the first. */
    retries: number;
    retryBaseMs: number;
    retryMaxMs: number;
    /** A longer Retry-After is not waited for here; the caller finds it in the error. */
    retryAfterMaxMs: number;
    /** Calls of this process; watches are not counted. */
    rate: RateLimit;
  }>;

const defaultTransportLimits: TransportLimits = {
  connectMs: 5_000,
  headersMs: 10_000,
  bodyMs: 15_000,
  inactivityMs: 75_000,
  connections: 16,
  maxResponseBytes: 128 * 1024 * 1024,
  callMs: 30_000,
  retries: 4,
  retryBaseMs: 100,
  retryMaxMs: 5_000,
  retryAfterMaxMs: 10_000,
  rate: { perSecond: 50, burst: 100 },
};

export type TransportOptions = Readonly<{
  credentials: CredentialSource;
  metrics?: RequestMetrics;
  log?: Logger;
  limits?: Partial<TransportLimits>;
  userAgent?: string;
  /**
   * Called right before the bytes of each request that is not a GET; throws to refuse it. A leader checks its lease
   * here. It narrows the gap in which a deposed leader can write; the preconditions of the requests close it.
   */
  beforeWrite?: (request: KubeRequest) => void;
  /** Where it is given, an error of a right that the account has not says which it is and this, in place of the server's words. */
  cureOfMissingRight?: CureOfMissingRight;
  random?: () => number;
}>;

type Read<T> = (answer: Answer) => Promise<T>;

export function createTransport(options: TransportOptions): KubeTransport {
  const transport = new HttpTransport(options);
  const { maxResponseBytes } = transport.limits;
  return {
    request: <T>(request: KubeRequest) =>
      transport.call(request, async (answer) => JSON.parse(await readText(answer.body, maxResponseBytes)) as T),
    text: (request) => transport.call(request, (answer) => readText(answer.body, maxResponseBytes)),
    stream: (request) => transport.openStream(request),
    close: () => transport.close(),
  };
}

class HttpTransport {
  readonly limits: TransportLimits;
  private readonly options: TransportOptions;
  private readonly pool: AgentPool;
  private readonly bucket: TokenBucket;
  private readonly log: Logger;
  private readonly userAgent: string;

  constructor(options: TransportOptions) {
    this.options = options;
    this.limits = { ...defaultTransportLimits, ...options.limits };
    this.pool = createAgentPool(this.limits);
    this.bucket = createTokenBucket(this.limits.rate);
    this.log = options.log ?? silentLogger;
    this.userAgent = options.userAgent ?? 'agent-worker-pool';
  }

  async call<T>(request: KubeRequest, read: Read<T>): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      await this.bucket.take(request.signal);
      try {
        return await this.withRenewedCredentials(request, () => this.attemptCall(request, read));
      } catch (error) {
        const delay = error instanceof KubeError ? this.retryDelay(request, error, failures) : undefined;
        if (delay === undefined) throw error;
        this.options.metrics?.retries.inc({ method: request.method, host: this.pool.host() });
        const because = messageOf(error);
        this.log.debug({ path: request.path, because, delayMs: Math.round(delay) }, 'repeating a request');
        await sleep(delay, request.signal);
      }
    }
  }

  /** One attempt only: whoever watches has its own backoff, and must know that it missed something. */
  async openStream(request: KubeRequest): Promise<AsyncIterable<Buffer>> {
    const answer = await this.withRenewedCredentials(request, async () => {
      try {
        return await this.send(request, { lane: 'watches', signal: request.signal });
      } catch (error) {
        throw this.failure(request, error, false);
      }
    });
    return readStream(request, answer.body);
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  private async attemptCall<T>(request: KubeRequest, read: Read<T>): Promise<T> {
    const { callMs } = this.limits;
    const link = linkedSignal([request.signal], { ms: callMs, message: `no whole answer within ${callMs} ms` });
    const started = performance.now();
    try {
      const result = await read(await this.send(request, { lane: 'calls', signal: link.signal }));
      const seconds = (performance.now() - started) / 1000;
      this.options.metrics?.requestSeconds.observe({ verb: request.method, host: this.pool.host() }, seconds);
      return result;
    } catch (error) {
      throw this.failure(request, error, link.timedOut());
    } finally {
      link.dispose();
    }
  }

  /** Sends the request and returns its answer if it is 2xx. */
  private async send(request: KubeRequest, by: { lane: Lane; signal: AbortSignal | undefined }): Promise<Answer> {
    const credentials = await this.options.credentials.get();
    const agents = this.agentsFor(credentials);
    const body = request.body === undefined ? null : JSON.stringify(request.body);
    if (by.signal?.aborted) throw asError(by.signal.reason);
    if (request.method !== 'GET') this.options.beforeWrite?.(request);
    const answer = await agents[by.lane].request({
      origin: agents.origin,
      path: `${agents.prefix}${request.path}${queryString(request.query)}`,
      method: request.method,
      headers: { ...credentials.headers, ...headersOf(request), 'user-agent': this.userAgent },
      body,
      signal: by.signal ?? null,
    });
    const code = String(answer.statusCode);
    this.options.metrics?.requests.inc({ code, method: request.method, host: agents.host });
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer;
    throw await refusal(request, answer, this.options.cureOfMissingRight);
  }

  private agentsFor(credentials: Credentials): Agents {
    const before = this.pool.host();
    const agents = this.pool.for(credentials);
    if (agents.host !== before && this.options.metrics) initRequestMetrics(this.options.metrics, agents.host);
    return agents;
  }

  private async withRenewedCredentials<T>(request: KubeRequest, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof KubeError) || error.status !== 401) throw error;
      this.log.info({ path: request.path }, 'the API server refused our credentials; they are read again');
      await this.options.credentials.renew();
      return run();
    }
  }

  /** What a caller gets for whatever was thrown: its own abort reason, our own errors, or a `KubeError`. */
  private failure(request: KubeRequest, error: unknown, timedOut: boolean): Error {
    if (request.signal?.aborted) return asError(request.signal.reason);
    if (error instanceof KubeError) return error;
    if (!timedOut && !isNetworkError(error)) return asError(error);
    const host = this.pool.host();
    this.options.metrics?.requests.inc({ code: '<error>', method: request.method, host });
    return noAnswer(request, error, timedOut);
  }

  private retryDelay(request: KubeRequest, error: KubeError, failures: number): number | undefined {
    const { retries, retryAfterMaxMs, retryBaseMs, retryMaxMs } = this.limits;
    const retryAfter = error.retryAfterMs ?? 0;
    if (failures >= retries || retryAfter > retryAfterMaxMs) return undefined;
    const idempotent = request.idempotent ?? request.method === 'GET';
    const failed = error.status === 0 || (error.status >= 500 && !isTerminalRefusal(error));
    if (error.status !== 429 && !(failed && idempotent)) return undefined;
    return retryAfter + fullJitter(failures, { baseMs: retryBaseMs, maxMs: retryMaxMs }, this.options.random);
  }
}

const headersOf = (request: KubeRequest): Record<string, string> => ({
  accept: request.accept ?? 'application/json',
  ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
});

function queryString(query: KubeRequest['query']): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) parameters.append(name, value);
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}
