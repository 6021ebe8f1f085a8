import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Credentials, CredentialSource } from './credentials.ts';
import type { ElectionTimings } from './election.ts';
import {
  type FromThread,
  type LeaseThreadData,
  loadMs,
  monotonicMs,
  shared,
  storeMs,
  type ToThread,
} from './lease-messages.ts';
import { type Logger, messageOf } from './log.ts';
import type { KubeMetrics } from './metrics.ts';
import { type Deferred, deferred, sleep } from './wait.ts';

/** A write was about to leave although the lease is not held (any more). */
export class NotLeaderError extends Error {
  constructor() {
    super('this process does not hold the lease');
    this.name = 'NotLeaderError';
  }
}

export type LeaderElectorOptions = Readonly<{
  credentials: CredentialSource;
  namespace: string;
  name: string;
  /** Names the process for people; a random part is added, so that no successor is taken for it. */
  identity: string;
  /** 15 s, renewed every 5 s, trusted by the holder for 10 s after a renewal was sent. */
  durationMs?: number;
  renewMs?: number;
  retryMs?: number;
  heartbeatMaxMs?: number;
  log: Logger;
  metrics?: KubeMetrics;
  userAgent?: string;
  /** What to do where the account has no right to the Lease. */
  cureOfMissingRight?: string;
}>;

export type LeaderElector = Readonly<{
  identity: string;
  /** Begins to compete, in a thread of its own. Rejects when there are no credentials. */
  start(): Promise<void>;
  /** Resolves once, with the lease's `leaseTransitions`. Never resolves for a standby. */
  acquired: Promise<Readonly<{ epoch: number }>>;
  /** Resolves once, when the lease or its thread is lost: the process must end. */
  lost: Promise<Readonly<{ because: string }>>;
  /**
   * Names this process's leadership, as no other process ever does: the lease's `leaseTransitions`, and the random part
   * of the identity, since a deleted Lease begins to count anew. Throws `NotLeaderError` before the lease was acquired.
   */
  epoch(): string;
  /** By the monotonic clock alone: true while the last renewal is trusted. */
  isLeader(): boolean;
  /** Throws `NotLeaderError`. Call it right before a write leaves. */
  assertLeader(): void;
  /** Stops competing and gives the lease back if it is held. Resolves also when that fails. */
  release(): Promise<void>;
  /** Why this process cannot compete: it has not read the lease yet, or has not the right to. For `/readyz`. */
  barred(): string | undefined;
  /** What is wrong with the election's own progress, or undefined. For `/healthz`. */
  problem(): string | undefined;
}>;

/**
 * Leader election on a Lease, in a worker thread: a main loop that is busy for seconds loses nothing, one that hangs for
 * `heartbeatMaxMs` does. What this can and cannot promise is in docs/adr.
 */
export function createLeaderElector(options: LeaderElectorOptions): LeaderElector {
  return new ThreadedElector(options);
}

const heartbeatEveryMs = 500;
const credentialsEveryMs = 15_000;
/** It holds one object; left alone, V8 would let its garbage grow to what the main thread may have. */
const threadLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 };

class ThreadedElector implements LeaderElector {
  readonly identity: string;
  readonly acquired;
  readonly lost;
  private readonly options: LeaderElectorOptions;
  private readonly timings: ElectionTimings;
  private readonly times = new BigInt64Array(new SharedArrayBuffer(3 * 8));
  private readonly acquiredLater: Deferred<Readonly<{ epoch: number }>> = deferred();
  private readonly lostLater: Deferred<Readonly<{ because: string }>> = deferred();
  private readonly ended: Deferred<void> = deferred();
  private readonly timers: NodeJS.Timeout[] = [];
  private worker: Worker | undefined;
  private sent = '';
  private releasing = false;
  private transitions: number | undefined;
  private whyBarred: string | undefined = 'the lease was not read yet';

  constructor(options: LeaderElectorOptions) {
    const { durationMs = 15_000, renewMs = 5_000, retryMs = 2_000, heartbeatMaxMs = 20_000 } = options;
    this.options = options;
    this.identity = `${options.identity}_${randomUUID().slice(0, 8)}`;
    this.timings = { durationMs, renewMs, retryMs, heartbeatMaxMs };
    this.acquired = this.acquiredLater.promise;
    this.lost = this.lostLater.promise;
    this.showLeadership(0);
  }

  async start(): Promise<void> {
    const { namespace, name, userAgent = 'agent-worker-pool', cureOfMissingRight } = this.options;
    const credentials = await this.options.credentials.get();
    this.sent = JSON.stringify(credentials);
    this.beat();
    const { identity, timings, times } = this;
    const workerData: LeaseThreadData = {
      namespace,
      name,
      identity,
      timings,
      credentials,
      userAgent,
      cureOfMissingRight,
      times,
    };
    this.worker = new Worker(threadEntry(), { workerData, resourceLimits: threadLimits });
    this.worker.on('message', (message: FromThread) => this.hear(message));
    this.worker.on('error', (error) => this.end(`its thread failed: ${messageOf(error)}`));
    this.worker.on('exit', () => {
      this.end('its thread has ended');
      this.ended.resolve();
    });
    this.timers.push(setInterval(() => this.beat(), heartbeatEveryMs).unref());
    this.timers.push(setInterval(() => void this.sendCredentials('get'), credentialsEveryMs).unref());
  }

  epoch(): string {
    if (this.transitions === undefined) throw new NotLeaderError();
    return `${this.transitions}.${this.identity.slice(this.identity.lastIndexOf('_') + 1)}`;
  }

  isLeader(): boolean {
    return monotonicMs() < loadMs(this.times, shared.validUntil);
  }

  assertLeader(): void {
    if (!this.isLeader()) throw new NotLeaderError();
  }

  async release(): Promise<void> {
    this.releasing = true;
    if (!this.worker) return;
    this.tell({ kind: 'release' });
    await Promise.race([this.ended.promise, sleep(this.timings.renewMs + 1_000)]);
    storeMs(this.times, shared.validUntil, 0);
    this.showLeadership(0);
    for (const timer of this.timers) clearInterval(timer);
    await this.worker.terminate();
  }

  barred(): string | undefined {
    return this.whyBarred;
  }

  problem(): string | undefined {
    if (!this.worker) return undefined;
    const age = monotonicMs() - loadMs(this.times, shared.threadAlive);
    return age > 30_000 ? `the lease's thread has not moved for ${Math.round(age / 1000)} s` : undefined;
  }

  private hear(message: FromThread): void {
    switch (message.kind) {
      case 'acquired':
        this.showLeadership(1);
        this.transitions = message.epoch;
        this.acquiredLater.resolve({ epoch: message.epoch });
        break;
      case 'barred':
        this.whyBarred = message.because;
        break;
      case 'lost':
        this.end(message.loss.because);
        break;
      case 'released':
        this.ended.resolve();
        break;
      case 'credentials-wanted':
        void this.sendCredentials('renew');
        break;
      case 'answered':
        this.options.metrics?.requests.inc(message.labels);
        break;
      case 'log':
        this.options.log[message.level]({ lease: this.options.name, ...message.fields }, message.message);
        break;
    }
  }

  private end(because: string): void {
    storeMs(this.times, shared.validUntil, 0);
    this.showLeadership(0);
    if (!this.releasing) this.lostLater.resolve({ because: `the lease is lost: ${because}` });
  }

  private beat(): void {
    storeMs(this.times, shared.heartbeat, monotonicMs());
  }

  private async sendCredentials(how: 'get' | 'renew'): Promise<void> {
    try {
      const credentials: Credentials = await this.options.credentials[how]();
      const text = JSON.stringify(credentials);
      if (text === this.sent && how === 'get') return;
      this.sent = text;
      this.tell({ kind: 'credentials', credentials });
    } catch (error) {
      this.options.log.warn({ because: messageOf(error) }, 'the credentials could not be read again');
    }
  }

  private tell(message: ToThread): void {
    this.worker?.postMessage(message);
  }

  private showLeadership(value: 0 | 1): void {
    this.options.metrics?.leader.set({ name: this.options.name }, value);
  }
}

/** Beside this file in development; beside the bundle in an image, as the bundler writes it. */
function threadEntry(): URL {
  const entries = ['./lease-thread.ts', './lease-thread.mjs'].map((path) => new URL(path, import.meta.url));
  const entry = entries.find((url) => existsSync(fileURLToPath(url)));
  if (!entry) throw new Error(`the entry of the lease's thread is missing: ${entries.map(String).join(' or ')}`);
  return entry;
}
