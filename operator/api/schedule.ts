import { Cron } from 'croner';
import type { Millis } from './duration.ts';

/** A floor that holds for `durationMs` from each moment that `cron` names, on the clocks of `timeZone`. */
export type Schedule = Readonly<{ cron: string; timeZone: string; durationMs: Millis; minReplicas: number }>;

/** The last start at or before a moment, and the first one after it. */
type Starts = Readonly<{ last: Millis | undefined; next: Millis | undefined }>;

const NUMBERS = {
  minute: '[0-5]?[0-9]',
  hour: '([01]?[0-9]|2[0-3])',
  day: '(0?[1-9]|[12][0-9]|3[01])',
  month: '(0?[1-9]|1[0-2]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)',
  weekday: '([0-7]|sun|mon|tue|wed|thu|fri|sat)',
};

// `*`, `*/15`, `8`, `8-18`, `8-18/2`, and lists of them.
const field = (number: string): string => {
  const step = '(/[1-9][0-9]?)?';
  const item = `(\\*${step}|${number}(-${number}${step})?)`;
  return `${item}(,${item})*`;
};

/** The five fields of crontab(5), in upper or lower case; RE2 as well, for the API server evaluates it too. */
export const CRON_PATTERN = `^${Object.values(NUMBERS).map(field).join(' +')}$`;

const cronShape = new RegExp(CRON_PATTERN, 'i');

type Clock = { readonly cron: Cron; starts?: Starts };

/** What croner answers follows from its arguments alone; it is kept because a pool asks every second. */
const clocks = new Map<string, Clock>();
const MOST_CLOCKS = 5000;

function clockOf({ cron, timeZone }: Pick<Schedule, 'cron' | 'timeZone'>): Clock {
  const key = `${timeZone} ${cron}`;
  const known = clocks.get(key);
  if (known !== undefined) return known;
  if (clocks.size >= MOST_CLOCKS) clocks.clear();
  // Without a function it runs nothing; it only answers when it would.
  const clock: Clock = { cron: new Cron(cron, { timezone: timeZone, mode: '5-part' }) };
  clocks.set(key, clock);
  return clock;
}

function startsAround(clock: Clock, now: Millis): Starts {
  const { starts } = clock;
  if (starts?.last !== undefined && starts.next !== undefined && starts.last <= now && now < starts.next) return starts;
  const [last] = clock.cron.previousRuns(1, new Date(now + 1));
  const next = clock.cron.nextRun(new Date(now));
  clock.starts = { last: last?.getTime(), next: next?.getTime() };
  return clock.starts;
}

/** Until when the schedule's floor holds at `now` (undefined: it does not), and when it next begins. */
export function scheduleAt(
  schedule: Schedule,
  now: Millis,
): Readonly<{ until: Millis | undefined; next: Millis | undefined }> {
  const { last, next } = startsAround(clockOf(schedule), now);
  const until = last === undefined ? undefined : last + schedule.durationMs;
  return { until: until !== undefined && until > now ? until : undefined, next };
}

/** What is wrong with the expression, or undefined: five fields in their ranges that a calendar can meet. */
export function problemOfCron(cron: string): string | undefined {
  if (!cronShape.test(cron)) return `'${cron}' is not a cron expression: ${CRON_FIX}`;
  try {
    return new Cron(cron, { timezone: 'UTC', mode: '5-part' }).nextRun(new Date(0)) === null
      ? `'${cron}' never comes: no month has that day`
      : undefined;
  } catch {
    return `'${cron}' is not a cron expression: a range goes from the smaller number to the greater, and a step is not longer than its field`;
  }
}

export const CRON_FIX =
  'write five fields (minute, hour, day of the month, month, day of the week), like 0 8 * * MON-FRI';

/** Whether Node's copy of the IANA database knows the name. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
