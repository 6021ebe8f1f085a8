import { isConflict, lacksRight, wordsOf } from './errors.ts';
import { type LeaseApi, type LeaseSpec, microTime, type StoredLease } from './lease-record.ts';
import { type Logger, messageOf } from './log.ts';
import { asError, linkedSignal, sleep } from './wait.ts';

export type ElectionTimings = Readonly<{
  /** How long others wait after they saw the last renewal. */
  durationMs: number;
  renewMs: number;
  /** After a failure, and the most that is added when others try at the same time. */
  retryMs: number;
  /** An older heartbeat means that the main loop hangs: the lease is not renewed for it. */
  heartbeatMaxMs: number;
}>;

export type ElectionOptions = Readonly<{
  api: LeaseApi;
  identity: string;
  timings: ElectionTimings;
  /** Monotonic milliseconds. Clocks of different machines are never compared. */
  now: () => number;
  /** When the main loop was alive last, on the same clock. */
  heartbeat: () => number;
  /** Told before anything else: until when this process may act as the leader; 0 for not at all. */
  validUntil: (until: number) => void;
  /** Told why this process cannot compete at all, for a right that it has not; undefined when it can. */
  barred: (because: string | undefined) => void;
  log: Logger;
  random?: () => number;
}>;

export type Loss = Readonly<{ because: string; hung: boolean }>;

/** The part of `durationMs` in which a holder trusts its own lease: the rest is others' slack for slow answers. */
const trustedPart = 2 / 3;

/**
 * One candidate for one lease. `acquire` waits as a standby until it holds the lease, `hold` renews it until it is lost
 * or the signal asks to give it back. A holder's validity runs from the moment before a renewal is *sent*; a standby's
 * waiting from the moment when it *saw* the record change. So the first ends before the second, whatever the clocks,
 * pauses and networks do.
 */
export class Election {
  private readonly options: ElectionOptions;
  private seen: { lease: StoredLease | undefined; at: number } | undefined;
  private held: StoredLease | undefined;
  private until = 0;
  private trouble: string | undefined;

  constructor(options: ElectionOptions) {
    this.options = options;
  }

  /** Resolves with the epoch (`leaseTransitions`) once the lease is held; rejects when the signal is aborted. */
  async acquire(signal: AbortSignal): Promise<number> {
    for (;;) {
      if (signal.aborted) throw asError(signal.reason);
      try {
        this.observe(await this.options.api.read(signal));
        const epoch = this.claimableInMs() <= 0 ? await this.claim(signal) : undefined;
        this.trouble = undefined;
        this.options.barred(undefined);
        if (epoch !== undefined) return epoch;
        await this.standBy(signal);
      } catch (error) {
        if (signal.aborted) throw asError(signal.reason);
        if (!isConflict(error)) this.sayOnce(error, 'the lease could not be read');
        if (lacksRight(error)) this.options.barred(wordsOf(error));
        await sleep(this.options.timings.retryMs * (0.5 + this.random() / 2), signal);
      }
    }
  }

  /** Renews until the lease is lost (resolves with why) or the signal is aborted (gives it back, then undefined). */
  async hold(release: AbortSignal): Promise<Loss | undefined> {
    let nextAt = this.options.now() + this.options.timings.renewMs;
    for (;;) {
      const { now, timings } = this.options;
      try {
        await sleep(Math.max(0, Math.min(nextAt, this.until) - now()), release);
      } catch {
        await this.giveBack();
        return undefined;
      }
      if (now() >= this.until) return this.lose('it was not renewed in time');
      if (now() - this.options.heartbeat() > timings.heartbeatMaxMs) {
        nextAt = now() + timings.retryMs / 4;
        continue;
      }
      const sentAt = now();
      try {
        await this.renew();
        this.trouble = undefined;
        nextAt = sentAt + timings.renewMs;
      } catch (error) {
        if (error instanceof TakenError) return this.lose(error.message);
        this.sayOnce(error, 'the lease could not be renewed');
        nextAt = now() + (timings.retryMs / 2) * (0.5 + this.random() / 2);
      }
    }
  }

  /** It is tried again every few seconds: the same trouble is told when it begins. */
  private sayOnce(error: unknown, message: string): void {
    const because = messageOf(error);
    this.options.log[this.trouble === because ? 'debug' : 'warn']({ because }, message);
    this.trouble = because;
  }

  private lose(because: string): Loss {
    const { now, heartbeat, timings } = this.options;
    this.trust(undefined);
    const hung = now() - heartbeat() > timings.heartbeatMaxMs;
    return {
      because: hung ? `the main loop has not moved for ${Math.round((now() - heartbeat()) / 1000)} s` : because,
      hung,
    };
  }

  private observe(lease: StoredLease | undefined): void {
    const known = this.seen?.lease?.metadata.resourceVersion;
    if (this.seen && known === lease?.metadata.resourceVersion) return;
    this.seen = { lease, at: this.options.now() };
  }

  /** 0 or less: it may be claimed now. */
  private claimableInMs(): number {
    const spec = this.seen?.lease?.spec;
    if (!this.seen || !spec?.holderIdentity) return 0;
    const durationMs = (spec.leaseDurationSeconds ?? 0) * 1000 || this.options.timings.durationMs;
    return this.seen.at + durationMs - this.options.now();
  }

  /** Follows the lease until it may be claimed. */
  private async standBy(signal: AbortSignal): Promise<void> {
    const { api, log } = this.options;
    const link = linkedSignal([signal]);
    const follow = async () => {
      const from = this.seen?.lease?.metadata.resourceVersion ?? '0';
      for await (const lease of api.watch(from, link.signal)) {
        this.observe(lease);
        if (this.claimableInMs() <= 0) return;
      }
    };
    const following = follow().catch((error: unknown) => {
      if (!link.signal.aborted) log.debug({ because: messageOf(error) }, 'the watch of the lease ended');
      return sleep(this.options.timings.retryMs, link.signal).catch(() => undefined);
    });
    try {
      await Promise.race([following, this.untilExpired(link.signal)]);
    } finally {
      link.abort(new Error('no longer standing by'));
      link.dispose();
    }
  }

  private async untilExpired(signal: AbortSignal): Promise<void> {
    for (let left = this.claimableInMs(); left > 0; left = this.claimableInMs()) {
      await sleep(left + 1, signal).catch(() => undefined);
      if (signal.aborted) return;
    }
  }

  private async claim(signal: AbortSignal): Promise<number> {
    const { api, now } = this.options;
    const sentAt = now();
    const lease = this.seen?.lease;
    const epoch = (lease?.spec.leaseTransitions ?? -1) + 1;
    const time = microTime(new Date());
    const spec = this.spec({ acquireTime: time, renewTime: time, leaseTransitions: epoch });
    this.held = lease ? await api.replace(lease, spec, signal) : await api.create(spec, signal);
    this.trust(sentAt);
    return epoch;
  }

  private async renew(): Promise<void> {
    const { now } = this.options;
    const link = linkedSignal([], { ms: Math.max(1, this.until - now()), message: 'the lease ran out' });
    try {
      const held = this.held;
      if (!held) throw new TakenError('it was never held');
      const sentAt = now();
      const spec = { ...held.spec, ...this.spec({ renewTime: microTime(new Date()) }) };
      this.held = await this.options.api.replace(held, spec, link.signal);
      this.trust(sentAt);
    } catch (error) {
      if (!isConflict(error)) throw error;
      await this.readBack(link.signal);
    } finally {
      link.dispose();
    }
  }

  /** After a 409: an answer of ours that got lost, somebody's label, or another holder. */
  private async readBack(signal: AbortSignal): Promise<void> {
    const lease = await this.options.api.read(signal);
    if (!lease) throw new TakenError('it was deleted');
    const { holderIdentity, leaseTransitions } = lease.spec;
    if (holderIdentity !== this.options.identity || leaseTransitions !== this.held?.spec.leaseTransitions) {
      throw new TakenError(`${holderIdentity || 'nobody'} holds it`);
    }
    this.held = lease;
    throw new Error('the lease was changed by somebody else; renewing it again');
  }

  private async giveBack(): Promise<void> {
    const { api, timings, log } = this.options;
    this.trust(undefined);
    const link = linkedSignal([], { ms: timings.renewMs, message: 'the lease was not given back in time' });
    try {
      const held = await api.read(link.signal);
      if (held?.spec.holderIdentity !== this.options.identity) return;
      const spec = { ...held.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(new Date()) };
      await api.replace(held, spec, link.signal);
    } catch (error) {
      log.warn({ because: messageOf(error) }, 'the lease could not be given back; others wait until it runs out');
    } finally {
      link.dispose();
    }
  }

  private spec(spec: LeaseSpec): LeaseSpec {
    const leaseDurationSeconds = Math.ceil(this.options.timings.durationMs / 1000);
    return { holderIdentity: this.options.identity, leaseDurationSeconds, ...spec };
  }

  private trust(sentAt: number | undefined): void {
    this.until = sentAt === undefined ? 0 : sentAt + this.options.timings.durationMs * trustedPart;
    this.options.validUntil(this.until);
  }

  private random(): number {
    return (this.options.random ?? Math.random)();
  }
}

/** The lease is another's. */
class TakenError extends Error {}
