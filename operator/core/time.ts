import type { Millis } from './known.ts';

// `new Date(ms)` and `Date.parse` are functions of their argument alone; the clock itself stays outside core.
// oxlint-disable no-restricted-globals

/** ISO 8601 with whole seconds in UTC, the form of Kubernetes' `metav1.Time`. */
export const isoTime = (at: Millis): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

/** With milliseconds, for a time that a decision is made by when it is read back. */
export const preciseTime = (at: Millis): string => new Date(at).toISOString();

/** Undefined for a missing or malformed time: a status that somebody edited is no reason to fail. */
export function parseIsoTime(text: string | undefined): Millis | undefined {
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
