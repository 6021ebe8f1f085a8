import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Election, type ElectionTimings, type Loss } from './election.ts';
import { KubeError } from './errors.ts';
import type { LeaseApi, LeaseSpec, StoredLease } from './lease-record.ts';
import { silentLogger } from './log.ts';

const timings: ElectionTimings = { durationMs: 15_000, renewMs: 5_000, retryMs: 2_000, heartbeatMaxMs: 20_000 };
const conflict = () => new KubeError({ status: 409, reason: 'Conflict', message: 'changed' });
const forbidden = () => {
  const message = 'leases "l" is forbidden: User "u" cannot get resource "leases" in API group "coordination.k8s.io"';
  return new KubeError({ status: 403, reason: 'Forbidden', message, body: { message } });
};
const away = () => new KubeError({ status: 0, reason: 'Unreachable', message: 'no answer' });

/** A Lease in memory, with a switch for each candidate's network. */
class FakeLease {
  lease: StoredLease | undefined;
  readonly writes: string[] = [];
  private version = 0;
  private watchers = new Set<() => void>();

  apiFor(candidate: Candidate): LeaseApi {
    const reach = () => {
      if (candidate.cutOff) throw away();
      if (candidate.hasNoRight) throw forbidden();
    };
    const write = (spec: LeaseSpec): StoredLease => {
      this.version += 1;
      this.lease = { metadata: { namespace: 'n', name: 'l', resourceVersion: String(this.version) }, spec };
      this.writes.push(`${candidate.name}:${spec.holderIdentity}`);
      for (const wake of this.watchers) wake();
      return this.lease;
    };
    const replace = (seen: StoredLease, spec: LeaseSpec): StoredLease => {
      reach();
      if (this.lease?.metadata.resourceVersion !== seen.metadata.resourceVersion) throw conflict();
      const stored = write(spec);
      if (candidate.losesAnswers) throw away();
      return stored;
    };
    const create = (spec: LeaseSpec): StoredLease => {
      reach();
      if (this.lease) throw conflict();
      return write(spec);
    };
    const read = () => {
      reach();
      return this.lease;
    };
    const nextChange = (signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        this.watchers.add(resolve);
        signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
      });
    return {
      read: () => Promise.resolve().then(read),
      create: (spec) => Promise.resolve().then(() => create(spec)),
      replace: (seen, spec) => Promise.resolve().then(() => replace(seen, spec)),
      async *watch(_, signal) {
        for (;;) {
          await nextChange(signal);
          yield read();
        }
      },
    };
  }

  edit(): void {
    if (!this.lease) throw new Error('no lease');
    this.version += 1;
    this.lease = { ...this.lease, metadata: { ...this.lease.metadata, resourceVersion: String(this.version) } };
    for (const wake of this.watchers) wake();
  }

  delete(): void {
    this.lease = undefined;
    for (const wake of this.watchers) wake();
  }
}

class Candidate {
  readonly name: string;
  cutOff = false;
  hasNoRight = false;
  barred: string | undefined;
  losesAnswers = false;
  hung = false;
  epoch: number | undefined;
  loss: Loss | undefined | 'none' = 'none';
  readonly warnings: string[] = [];
  private until = 0;
  private readonly election: Election;
  private readonly ending = new AbortController();

  constructor(name: string, lease: FakeLease) {
    this.name = name;
    let alive = performance.now();
    this.election = new Election({
      api: lease.apiFor(this),
      identity: name,
      timings,
      now: () => performance.now(),
      heartbeat: () => (this.hung ? alive : (alive = performance.now())),
      validUntil: (until) => {
        this.until = until;
      },
      barred: (because) => {
        this.barred = because;
      },
      log: { ...silentLogger, warn: (_fields, message) => void this.warnings.push(message) },
      random: () => 0.5,
    });
  }

  start(): this {
    void this.compete();
    return this;
  }

  leads(): boolean {
    return performance.now() < this.until;
  }

  release(): void {
    this.ending.abort(new Error('released'));
  }

  private async compete(): Promise<void> {
    try {
      this.epoch = await this.election.acquire(this.ending.signal);
      this.loss = await this.election.hold(this.ending.signal);
    } catch (error) {
      if (!this.ending.signal.aborted) throw error;
    }
  }
}

let lease: FakeLease;
let all: Candidate[];
let mostLeaders: number;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  lease = new FakeLease();
  all = [];
  mostLeaders = 0;
});
afterEach(() => {
  for (const candidate of all) candidate.release();
  expect(mostLeaders).toBeLessThanOrEqual(1);
  vi.useRealTimers();
});

const join = (name: string) => {
  const candidate = new Candidate(name, lease).start();
  all.push(candidate);
  return candidate;
};
/** Lets time pass in small steps, and looks at each how many believe that they lead. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    await vi.advanceTimersByTimeAsync(Math.min(250, left));
    mostLeaders = Math.max(mostLeaders, all.filter((candidate) => candidate.leads()).length);
  }
}

describe('an election', () => {
  it('gives a new lease to the first, renews it, and keeps the second waiting', async () => {
    const a = join('a');
    await pass(250);
    const b = join('b');
    await pass(120_000);
    expect([a.leads(), b.leads(), a.epoch]).toEqual([true, false, 0]);
    expect(lease.writes.length).toBeGreaterThanOrEqual(23);
    expect(lease.writes.length).toBeLessThanOrEqual(26);
    expect(lease.lease?.spec.leaseTransitions).toBe(0);
  });

  it('tells a trouble when it begins, and again when it comes back, however often it tries meanwhile', async () => {
    const a = join('a');
    await pass(1_000);
    const b = join('b');
    await pass(1_000);
    b.cutOff = true;
    await pass(60_000);
    expect(b.warnings).toEqual(['the lease could not be read']);
    b.cutOff = false;
    await pass(30_000);
    b.cutOff = true;
    await pass(60_000);
    expect([b.warnings.length, a.warnings.length]).toEqual([2, 0]);
  });

  it('knows that it can never lead while it has no right to the lease, which an outage does not tell', async () => {
    join('a');
    await pass(1_000);
    const b = join('b');
    b.hasNoRight = true;
    await pass(10_000);
    expect(b.barred).toContain('cannot get resource "leases"');
    b.hasNoRight = false;
    await pass(10_000);
    expect(b.barred).toBeUndefined();
    b.cutOff = true;
    await pass(30_000);
    expect(b.barred).toBeUndefined();
  });

  it('hands over at once when the holder gives the lease back, with the next epoch', async () => {
    const a = join('a');
    await pass(1_000);
    const b = join('b');
    await pass(8_000);
    a.release();
    await pass(250);
    expect([a.leads(), b.leads(), b.epoch, a.loss]).toEqual([false, true, 1, undefined]);
  });

  it('waits the whole duration after a holder that fell silent, and one retry at most', async () => {
    const a = join('a');
    await pass(1_000);
    const b = join('b');
    await pass(10_000);
    a.cutOff = true;
    const silentSince = performance.now();
    while (b.epoch === undefined) await pass(250);
    const tookMs = performance.now() - silentSince;
    expect(tookMs).toBeGreaterThan(10_000);
    expect(tookMs).toBeLessThanOrEqual(timings.durationMs + timings.retryMs);
    expect(a.loss).toMatchObject({ hung: false });
  });

  it('lets the holder stop trusting its lease before anybody else may take it', async () => {
    const a = join('a');
    await pass(1_000);
    const b = join('b');
    a.cutOff = true;
    let both = 0;
    for (let i = 0; i < 200; i += 1) {
      await pass(100);
      if (a.leads() && b.leads()) both += 1;
    }
    expect([both, b.leads()]).toEqual([0, true]);
  });

  it('survives failures that are shorter than its trust', async () => {
    const a = join('a');
    await pass(6_000);
    a.cutOff = true;
    await pass(8_000);
    expect(a.leads()).toBe(true);
    a.cutOff = false;
    await pass(20_000);
    expect([a.leads(), a.epoch]).toEqual([true, 0]);
  });

  it('goes on when the answer to a renewal is lost, or somebody else touches the lease', async () => {
    const a = join('a');
    await pass(1_000);
    a.losesAnswers = true;
    await pass(5_000);
    a.losesAnswers = false;
    await pass(10_000);
    lease.edit();
    await pass(20_000);
    expect([a.leads(), a.loss]).toEqual([true, 'none']);
  });

  it('loses the lease to one who took it, and to its deletion', async () => {
    const a = join('a');
    await pass(1_000);
    lease.delete();
    await pass(6_000);
    expect(a.loss).toMatchObject({ because: 'it was deleted' });
    const b = join('b');
    await pass(20_000);
    const c = lease.apiFor(new Candidate('c', lease));
    if (!lease.lease) throw new Error('no lease');
    await c.replace(lease.lease, { holderIdentity: 'c', leaseTransitions: 9 }, new AbortController().signal);
    await pass(6_000);
    expect(b.loss).toMatchObject({ because: 'c holds it' });
  });

  it('does not renew for a main loop that hangs, and lets another take over', async () => {
    const a = join('a');
    await pass(1_000);
    const b = join('b');
    a.hung = true;
    await pass(timings.heartbeatMaxMs + timings.durationMs + timings.retryMs);
    expect(a.loss).toMatchObject({ hung: true });
    expect(b.leads()).toBe(true);
  });

  it('is lost to a process that slept longer than its trust, even if nobody else wants it', async () => {
    const a = join('a');
    await pass(4_000);
    const woken = performance.now() + 30_000;
    vi.spyOn(performance, 'now').mockImplementation(() => Math.max(woken, Date.now()));
    expect(a.leads()).toBe(false);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(a.loss).toMatchObject({ because: 'it was not renewed in time' });
    vi.restoreAllMocks();
  });

  it('never takes a lease on its clock alone: one that it sees for the first time is fresh to it', async () => {
    const a = join('a');
    await pass(1_000);
    a.cutOff = true;
    await pass(3_600_000);
    expect(a.leads()).toBe(false);
    const b = join('b');
    await pass(14_500);
    expect(b.epoch).toBeUndefined();
    await pass(3_000);
    expect(b.epoch).toBe(1);
  });

  it('lets exactly one of five win', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) join(name);
    await pass(30_000);
    expect(all.filter((candidate) => candidate.leads())).toHaveLength(1);
  });
});
