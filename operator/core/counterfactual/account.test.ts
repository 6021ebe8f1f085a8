import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../decide.ts';
import { known, unknown } from '../known.ts';
import { afterApplying, NOON, queueOf, samplePool, stateOf } from '../state.fixture.ts';
import { writeStatusIn } from '../status.ts';
import { type Account, accountFor, type Look, openAccount, replicaHours } from './account.ts';

const HOUR = 3_600_000;
const look = (now: number, over: Partial<Look> = {}): Look => ({
  now,
  queue: known({ waiting: 0, active: 0 }, now),
  current: 0,
  slots: 5,
  minReplicas: 0,
  maxReplicas: 20,
  ...over,
});
const jobs = (waiting: number, active: number) => ({ queue: known({ waiting, active }, NOON) });
/** Looks every 15 s with the same queue, for so long. */
const after = (lengthMs: number, over: Partial<Look>, from: Account = openAccount(look(NOON, over), undefined)) => {
  let account = from;
  for (let at = 15_000; at <= lengthMs; at += 15_000) account = accountFor(account, look(from.at + at, over));
  return account;
};

describe('what other rules would have used', () => {
  it('is counted beside what the pool has', () => {
    const hours = replicaHours(after(HOUR, { ...jobs(50, 20), current: 10 }).hourly);
    // The HPA follows 50 / 5, KEDA (50 + 20) / 5: from 10 to 14 in one sync.
    expect(hours.pool).toBeCloseTo(10);
    expect(hours.hpa).toBeCloseTo(10);
    expect(hours.keda).toBeCloseTo(14, 1);
  });

  it('keeps one replica of the HPA at night, which KEDA does not need', () => {
    const hours = replicaHours(after(8 * HOUR, {}).hourly);
    expect(hours).toEqual({ pool: 0, hpa: 8, keda: 0 });
  });

  it('shows an HPA that goes down under jobs that run, because none waits', () => {
    const account = after(HOUR, { ...jobs(0, 50), current: 10 });
    expect(account.replicas).toEqual({ pool: 10, hpa: 1, keda: 10 });
  });

  it('changes nothing of theirs while the queue is unknown, as an HPA does', () => {
    const busy = after(HOUR, { ...jobs(50, 20), current: 10 });
    const blind = after(HOUR, { queue: unknown('timed out'), current: 10 }, busy);
    expect(blind.replicas).toEqual(busy.replicas);
    expect(replicaHours(blind.hourly).hpa).toBeCloseTo(20);
  });

  it('does not count a time in which nobody looked', () => {
    const account = accountFor(openAccount(look(NOON, { current: 4 }), undefined), look(NOON + 3 * HOUR));
    expect(replicaHours(account.hourly)).toEqual({ pool: 0, hpa: 0, keda: 0 });
  });

  it('keeps the last 24 hours, each part in its own', () => {
    const account = after(30 * HOUR, { ...jobs(0, 10), current: 2, minReplicas: 2 });
    expect(account.hourly.from).toBe(NOON + 6 * HOUR);
    expect(account.hourly.hours).toHaveLength(24);
    expect(account.hourly.hours[0]).toEqual({ pool: 7200, hpa: 7200, keda: 7200 });
  });

  it('stays bounded and never negative, however seldom somebody looks and whatever the clock does', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: -HOUR, max: 2 * HOUR }), fc.nat({ max: 500 })), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(steps, (list) => {
        let now = NOON;
        let account = openAccount(look(now), undefined);
        for (const [gap, waiting] of list) {
          now += gap;
          account = accountFor(account, look(now, { ...jobs(waiting, 3), current: 3 }));
          expect(account.hourly.hours.length).toBeLessThanOrEqual(24);
          expect(account.hpa.length).toBeLessThanOrEqual(25);
          for (const sum of Object.values(replicaHours(account.hourly))) expect(sum).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('the counterfactual of a status', () => {
  const busy = stateOf({ pool: samplePool({ minReplicas: 2 }), replicas: 2, queue: { active: 3 } });
  const run = (state = busy, lengthMs = HOUR) => {
    let at = state;
    for (let passed = 0; passed < lengthMs; passed += 30_000) at = afterApplying(at, decide(at), 30_000);
    return at;
  };

  it('says that it is an estimate, and of what', () => {
    const { counterfactual } = decide(run()).status;
    expect(counterfactual?.note).toMatch(/^An estimate: /);
    expect(counterfactual).toMatchObject({
      since: '2026-01-05T12:00:00Z',
      replicaHours: { pool: '2.0', hpa: '2.0', keda: '2.0' },
      hourlyReplicaSeconds: { pool: [7200], hpa: [7200], keda: [7200] },
    });
  });

  it('goes on with the hours of the last leader, but for what it had not written', () => {
    const before = run();
    const { account: _lost, ...memory } = before.memory;
    const next = run({ ...before, memory }, HOUR);
    expect(decide(next).status.counterfactual?.hourlyReplicaSeconds.pool).toEqual([7140, 7200]);
  });

  it('is worth a write of its own once an hour, and no more', () => {
    const at = run(busy, HOUR / 2);
    const status = decide(at).status;
    const soon = decide(run(at, 60_000)).status;
    expect(soon.counterfactual).not.toEqual(status.counterfactual);
    expect(writeStatusIn(status, soon, { writtenAt: NOON, now: at.now + 60_000 })).toBeUndefined();
    const later = decide(run(at, HOUR)).status;
    expect(writeStatusIn(status, later, { writtenAt: NOON, now: at.now + HOUR })).toBe(0);
  });

  it('counts no job that waits in a paused queue', () => {
    const paused = { ...busy, queue: known(queueOf({ ready: 400, paused: true }), NOON) };
    expect(run(paused, HOUR).memory.account?.replicas).toMatchObject({ keda: 2 });
  });
});
