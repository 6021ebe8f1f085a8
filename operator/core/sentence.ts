import type { Millis } from './known.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A length of time as a person says it: `0.8 s`, `12 s`, `3 min`, `2 h 5 min`. */
export function sayLength(ms: Millis): string {
  const length = Math.max(0, ms);
  if (length < 10 * SECOND) return `${trimZero((length / SECOND).toFixed(1))} s`;
  if (length < 2 * MINUTE) return `${Math.round(length / SECOND)} s`;
  if (length < 2 * HOUR) return `${Math.round(length / MINUTE)} min`;
  const all = Math.round(length / MINUTE);
  const [hours, minutes] = [Math.floor(all / 60), all % 60];
  return minutes === 0 ? `${hours} h` : `${hours} h ${minutes} min`;
}

/** `1 job`, `2 jobs`; a plural that is not made so is given. */
export const count = (n: number, noun: string, plural = `${noun}s`): string => `${n} ${n === 1 ? noun : plural}`;

/** The first line of another system's answer, cut: a message must not carry a page of somebody else's text. */
export function firstLine(text: string, limit = 200): string {
  const line = text.split('\n', 1)[0] ?? '';
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}

/** Another system's answer of several lines as one, cut: the API server lists the faults of an object one a line. */
export function asOneLine(text: string, limit: number): string {
  const lines = text.split('\n').map((line) => line.trim());
  return firstLine(lines.filter((line) => line !== '').reduce(joinLines, ''), limit);
}

const joinLines = (before: string, line: string): string =>
  before === '' ? line : `${before}${/[:;,[]$/.test(before) ? ' ' : '; '}${line}`;

const trimZero = (text: string): string => text.replace(/\.0$/, '');
