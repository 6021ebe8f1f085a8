const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const TIME_STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 14, 30, 60].map((days) => days * DAY),
];

export type Tick = Readonly<{ at: number; label: string }>;

/** At most nine round times from 0 to `lengthMs`. */
export function timeTicks(lengthMs: number): Tick[] {
  const step = TIME_STEPS.find((each) => lengthMs / each <= 8) ?? 60 * DAY;
  return ticksUpTo(lengthMs, step).map((at) => ({ at, label: sayTime(at) }));
}

/** At most six round numbers from 0 to what is at least `most`; the last is the top of the axis. */
export function countTicks(most: number): Tick[] {
  const rough = Math.max(1, most) / 4;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 2.5, 5, 10].map((each) => each * magnitude).find((each) => each >= rough) ?? 1);
  const whole = Math.ceil(step);
  return ticksUpTo(Math.ceil(Math.max(1, most) / whole) * whole, whole).map((at) => ({
    at,
    label: at.toLocaleString('en'),
  }));
}

const ticksUpTo = (end: number, step: number): number[] =>
  Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => index * step);

function sayTime(at: number): string {
  if (at === 0) return '0';
  if (at % DAY === 0) return `${at / DAY} d`;
  if (at % HOUR === 0) return `${at / HOUR} h`;
  if (at % MINUTE === 0) return `${at / MINUTE} min`;
  return `${at / SECOND} s`;
}
