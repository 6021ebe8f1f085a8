import { describe, expect, it } from 'vitest';
import type { Schedule } from '../../api/schedule.ts';
import { decide } from '../decide.ts';
import { unknown } from '../known.ts';
import { afterApplying, NOON, samplePool, stateOf } from '../state.fixture.ts';

const HOUR = 3_600_000;
const office: Schedule = { cron: '0 8 * * MON-FRI', timeZone: 'Europe/Berlin', durationMs: 10 * HOUR, minReplicas: 6 };
/** NOON is a Monday, 13:00 in Berlin. */
const pool = samplePool({ schedules: [office], minReplicas: 1 });
const BEFORE = NOON - 5 * HOUR - 1000;

describe('a schedule of a pool', () => {
  it('raises the floor while it holds, and says which and until when', () => {
    const decision = decide(stateOf({ pool }));
    expect(decision.because).toEqual({
      reason: 'RaisedBySchedule',
      message:
        'nothing waits and nothing runs; raised to 6 by the schedule 0 8 * * MON-FRI (Europe/Berlin) until 2026-01-05T17:00:00Z',
    });
    expect(decision.actions[0]?.manifest.spec.replicas).toBe(6);
  });

  it('is looked for at the very moment when it begins, although nothing happens on the queue', () => {
    const before = stateOf({ pool, replicas: 1, now: BEFORE });
    const decision = decide(before);
    expect(decision).toMatchObject({ actions: [], wanted: 1, recheckAfterMs: 1000 });
    const begun = decide(afterApplying(before, decision, 1000));
    expect(begun.actions[0]?.manifest.spec.replicas).toBe(6);
  });

  it('says the same all the time, so that it is no reason to write a status', () => {
    const at = (now: number) => decide(stateOf({ pool, replicas: 6, now })).because;
    expect(at(NOON)).toEqual(at(NOON + 3 * HOUR));
  });

  it('lets the pool go down when it ends, after the window and no sooner', () => {
    const open = stateOf({ pool, replicas: 6, now: NOON + 5 * HOUR - 1000 });
    const decision = decide(open);
    expect(decision).toMatchObject({ wanted: 6, recheckAfterMs: 1000 });
    const ended = afterApplying(open, decision, 1000);
    expect(decide(ended)).toMatchObject({ wanted: 6, because: { reason: 'HeldByWindow' } });
    const later = afterApplying(ended, decide(ended), 60_000);
    expect(decide(later).actions[0]?.manifest.spec.replicas).toBe(1);
  });

  it('holds while the queue cannot be read', () => {
    const state = { ...stateOf({ pool, replicas: 2 }), queue: unknown('timed out') };
    expect(decide(state).actions[0]?.manifest.spec.replicas).toBe(6);
  });

  it('counts with the greatest floor of those that hold, never beyond maxReplicas', () => {
    const lunch = { ...office, cron: '0 12 * * *', durationMs: 2 * HOUR, minReplicas: 30 };
    const later = { ...office, cron: '0 20 * * *', minReplicas: 19 };
    const state = stateOf({ pool: samplePool({ schedules: [office, lunch, later] }) });
    const decision = decide(state);
    expect(decision.wanted).toBe(20);
    expect(decision.because.reason).toBe('HeldToMaximum');
    expect(decision.status.decision?.bounds?.map(({ reason, to }) => [reason, to])).toEqual([
      ['RaisedBySchedule', 30],
      ['HeldToMaximum', 20],
    ]);
  });
});
