import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import { known } from './known.ts';
import { NOON, queueOf, stateOf } from './state.fixture.ts';
import { mayBeSaidLater, writeStatusIn } from './status.ts';
import { isoTime } from './time.ts';

const statusAt = (ready: number, now: number, before = stateOf().pool.status) => {
  const state = stateOf({ replicas: 2, now });
  const pool = before === undefined ? state.pool : { ...state.pool, status: before };
  return decide({ ...state, pool, queue: known(queueOf({ ready, active: 1 }), now) }).status;
};

describe('writing a status', () => {
  const first = statusAt(0, NOON);

  it('writes the first one at once', () => {
    expect(writeStatusIn(undefined, first, { now: NOON })).toBe(0);
  });

  it('writes a new wanted number at once', () => {
    const next = statusAt(60, NOON + 500, first);
    expect(writeStatusIn(first, next, { writtenAt: NOON, now: NOON + 500 })).toBe(0);
  });

  it('writes at once what an event is told of, be it numbers or nothing else', () => {
    expect(writeStatusIn(first, first, { writtenAt: NOON, now: NOON, isNews: true })).toBe(0);
  });

  it('writes numbers alone at most every ten seconds, and says when the time has come', () => {
    const some = statusAt(5, NOON, first);
    const next = statusAt(6, NOON + 500, some);
    expect(writeStatusIn(some, next, { writtenAt: NOON, now: NOON + 9999 })).toBe(1);
    expect(writeStatusIn(some, next, { writtenAt: NOON, now: NOON + 10_000 })).toBe(0);
  });

  it('never writes times alone', () => {
    const next = statusAt(0, NOON + 3_600_000, first);
    expect(next).not.toEqual(first);
    expect(writeStatusIn(first, next, { writtenAt: NOON, now: NOON + 3_600_000 })).toBeUndefined();
  });

  it('writes what was applied where the next leader needs it, and once: an older definition does not keep it', () => {
    const older = { uid: 'u', generation: 3, template: 't' };
    const newer = { ...older, generation: 4 };
    const atZero = { ...first, replicas: { current: 0, ready: 0, wanted: 0, draining: 0 } };
    const from = { ...atZero, deployment: older };
    const to = { ...atZero, deployment: newer };
    expect(writeStatusIn(from, to, { writtenAt: NOON, now: NOON + 4000 })).toBe(6000);
    expect(writeStatusIn(atZero, to, { writtenAt: NOON, now: NOON + 4000, claimed: older })).toBe(6000);
    expect(writeStatusIn(to, { ...atZero, deployment: { ...newer } }, { now: NOON })).toBeUndefined();
    expect(writeStatusIn(atZero, to, { writtenAt: NOON, now: NOON + 60_000, claimed: newer })).toBeUndefined();
    const withReplicas = { ...to, replicas: { ...to.replicas, current: 1 } };
    expect(writeStatusIn({ ...withReplicas, deployment: older }, withReplicas, { now: NOON })).toBeUndefined();
  });

  it('lets wait until other pools have their replicas whatever nothing follows from', () => {
    const counting = { ...first, restarts: { templateHash: 'hash', used: 1, left: 2, everReady: true } };
    const { restarts: _none, ...unused } = first;
    const pending = { pod: 'pod-0', uid: 'u', at: isoTime(NOON), reason: 'CrashLoop' };
    expect(mayBeSaidLater(first, statusAt(60, NOON + 500, first))).toBe(true);
    expect(mayBeSaidLater(counting, counting)).toBe(true);
    expect(mayBeSaidLater(unused, { ...counting, restarts: { ...counting.restarts, used: 0 } })).toBe(true);
    expect(mayBeSaidLater(first, counting)).toBe(false);
    expect(mayBeSaidLater(undefined, first)).toBe(false);
    expect(mayBeSaidLater(counting, { ...counting, restarts: { ...counting.restarts, pending } })).toBe(false);
  });

  it('writes no renewal of a cordon, but that one begins, ends, and that the one shown is over', () => {
    const withCordon = (until?: number) => ({
      ...first,
      workers: [
        {
          pod: 'pod-0',
          phase: 'Cordoned' as const,
          containerRestarts: 0,
          ...(until === undefined ? {} : { cordonedUntil: isoTime(until) }),
        },
      ],
    });
    const at = { writtenAt: NOON - 60_000, now: NOON };
    expect(writeStatusIn(withCordon(NOON + 45_000), withCordon(NOON + 60_000), at)).toBeUndefined();
    expect(writeStatusIn(withCordon(NOON), withCordon(NOON + 60_000), at)).toBe(0);
    expect(writeStatusIn(withCordon(), withCordon(NOON + 60_000), at)).toBe(0);
    expect(writeStatusIn(withCordon(NOON + 45_000), withCordon(), at)).toBe(0);
  });

  it('writes a new hour of what was used, but not one in which nothing ran: a thousand idle pools would all do so', () => {
    const withHours = (pool: readonly number[]) => ({
      ...first,
      counterfactual: {
        note: 'n',
        since: '2026-01-05T12:00:00Z',
        replicaHours: { pool: '0.0', hpa: '0.0', keda: '0.0' },
        hourlyReplicaSeconds: { pool: [...pool], hpa: pool.map(() => 3600), keda: pool.map(() => 0) },
      },
    });
    const at = { writtenAt: NOON, now: NOON + 7_200_000 };
    expect(writeStatusIn(withHours([60]), withHours([60, 0, 0]), at)).toBeUndefined();
    expect(writeStatusIn(withHours([60]), withHours([60, 0, 5]), at)).toBe(0);
  });

  it('writes nothing when the API server gave the same numbers back in another order', () => {
    const reordered = {
      ...first,
      replicas: Object.fromEntries(Object.entries(first.replicas ?? {}).toReversed()) as typeof first.replicas,
    };
    expect(writeStatusIn(reordered as typeof first, first, { writtenAt: NOON, now: NOON + 60_000 })).toBeUndefined();
  });

  it('moves lastTransitionTime only when a condition changes its status', () => {
    const next = statusAt(0, NOON + 3_600_000, first);
    expect(next.conditions?.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual(
      first.conditions?.map(({ lastTransitionTime }) => lastTransitionTime),
    );
  });
});
