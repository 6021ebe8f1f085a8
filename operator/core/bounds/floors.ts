import { type Schedule, scheduleAt } from '../../api/schedule.ts';
import type { Millis } from '../known.ts';
import type { PoolState } from '../state.ts';
import { isoTime } from '../time.ts';
import type { Rule } from './bound.ts';

type Open = Readonly<{ schedule: Schedule; until: Millis }>;

/** The schedule whose floor is the greatest of those that hold now. */
function openSchedule({ pool, now }: Pick<PoolState, 'pool' | 'now'>): Open | undefined {
  return pool.spec.scaling.schedules
    .flatMap((schedule) => {
      const { until } = scheduleAt(schedule, now);
      return until === undefined ? [] : [{ schedule, until }];
    })
    .sort((a, b) => b.schedule.minReplicas - a.schedule.minReplicas)[0];
}

const schedules: Rule = (replicas, { state }) => {
  const open = openSchedule(state);
  if (open === undefined || replicas >= open.schedule.minReplicas) return undefined;
  const { minReplicas: to, cron, timeZone } = open.schedule;
  // The moment, not how long it is until then: that would be another status every minute.
  const clause = `raised to ${to} by the schedule ${cron} (${timeZone}) until ${isoTime(open.until)}`;
  return { to, reason: 'RaisedBySchedule', clause };
};

const minReplicas: Rule = (replicas, { state }) => {
  const to = state.pool.spec.scaling.minReplicas;
  if (replicas >= to) return undefined;
  return { to, reason: 'RaisedToMinimum', clause: `raised to ${to} by minReplicas` };
};

/** Replicas that there are to be whatever the queue says. */
export const floors: readonly Rule[] = [schedules, minReplicas];

/** The number below which the pool does not go now, within its maximum. */
export function floorOf(state: Pick<PoolState, 'pool' | 'now'>): number {
  const { minReplicas, maxReplicas } = state.pool.spec.scaling;
  return Math.min(Math.max(minReplicas, openSchedule(state)?.schedule.minReplicas ?? 0), maxReplicas);
}

/** When the next schedule begins, or one that holds ends. */
export function floorChangesAt({ pool, now }: Pick<PoolState, 'pool' | 'now'>): Millis | undefined {
  const moments = pool.spec.scaling.schedules.flatMap((schedule) => {
    const { until, next } = scheduleAt(schedule, now);
    return [until, next].filter((moment) => moment !== undefined);
  });
  return moments.length === 0 ? undefined : Math.min(...moments);
}
