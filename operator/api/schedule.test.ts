import { afterEach, describe, expect, it, vi } from 'vitest';
import { scheduleAt, type Schedule } from './schedule.ts';

const HOUR = 3_600_000;
const at = (text: string): number => Date.parse(text);
const workdays: Schedule = { cron: '0 8 * * 1-5', timeZone: 'Europe/Berlin', durationMs: 10 * HOUR, minReplicas: 5 };
const iso = (moment: number | undefined) => (moment === undefined ? undefined : new Date(moment).toISOString());
const saying = (schedule: Schedule, text: string) => {
  const { until, next } = scheduleAt(schedule, at(text));
  return [iso(until), iso(next)];
};

afterEach(() => vi.useRealTimers());

describe('a schedule', () => {
  it('holds from the moment that it names, for its duration', () => {
    const monday = '2026-01-05T07:00:00.000Z';
    expect(saying(workdays, '2026-01-05T06:59:59.999Z')).toEqual([undefined, monday]);
    expect(saying(workdays, monday)).toEqual(['2026-01-05T17:00:00.000Z', '2026-01-06T07:00:00.000Z']);
    expect(saying(workdays, '2026-01-05T16:59:59.999Z')[0]).toBe('2026-01-05T17:00:00.000Z');
    expect(saying(workdays, '2026-01-05T17:00:00.000Z')[0]).toBeUndefined();
    expect(saying(workdays, '2026-01-09T20:00:00Z')).toEqual([undefined, '2026-01-12T07:00:00.000Z']);
  });

  it('follows the clocks of its time zone when they change', () => {
    expect(saying(workdays, '2026-03-29T12:00:00Z')[1]).toBe('2026-03-30T06:00:00.000Z');
    const night = { ...workdays, cron: '30 2 * * *', durationMs: HOUR };
    // 02:30 is left out on that night; it begins when the clocks go on.
    expect(saying(night, '2026-03-28T23:30:00Z')[1]).toBe('2026-03-29T01:00:00.000Z');
    // And comes twice on this one; it begins once.
    expect(saying(night, '2026-10-24T22:30:00Z')[1]).toBe('2026-10-25T00:30:00.000Z');
    expect(saying(night, '2026-10-25T00:30:00Z')[1]).toBe('2026-10-26T01:30:00.000Z');
  });

  it('follows the hours that there are where it begins every hour or every few minutes', () => {
    const often = { ...workdays, cron: '*/30 2 * * *', durationMs: HOUR / 2 };
    // There is no hour from 2 to 3 in that night, and there are two of them in this one.
    expect(saying(often, '2026-03-28T23:30:00Z')[1]).toBe('2026-03-30T00:00:00.000Z');
    const hourly = { ...workdays, cron: '0 * * * *', durationMs: HOUR / 2 };
    expect(saying(hourly, '2026-10-25T00:00:00Z')).toEqual(['2026-10-25T00:30:00.000Z', '2026-10-25T01:00:00.000Z']);
    expect(saying(hourly, '2026-10-25T01:00:00Z')).toEqual(['2026-10-25T01:30:00.000Z', '2026-10-25T02:00:00.000Z']);
  });

  it('does not end where it begins again before its end', () => {
    const always = { ...workdays, cron: '0 * * * *', durationMs: 2 * HOUR };
    expect(saying(always, '2026-01-05T10:59:59Z')[0]).toBe('2026-01-05T12:00:00.000Z');
    expect(saying(always, '2026-01-05T11:00:00Z')[0]).toBe('2026-01-05T13:00:00.000Z');
  });

  it('says the same whatever the clock of the machine says, and in whichever order it is asked', () => {
    const moments = Array.from({ length: 200 }, (_, i) => at('2026-01-02T00:00:00Z') + i * 1_234_567);
    const first = moments.map((moment) => scheduleAt(workdays, moment));
    vi.useFakeTimers({ now: at('2031-07-01T00:00:00Z') });
    const { timeZone, ...rest } = workdays;
    const fresh = { ...rest, cron: '00 8 * * 1-5', timeZone };
    expect(moments.toReversed().map((moment) => scheduleAt(fresh, moment))).toEqual(first.toReversed());
    expect(moments.map((moment) => scheduleAt(workdays, moment))).toEqual(first);
  });
});
