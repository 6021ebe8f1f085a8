/** Milliseconds since the Unix epoch, or a length in milliseconds, as the name of the value says. */
export type Millis = number;

/**
 * Hours, minutes, seconds and milliseconds in this order, each at most once: a subset of what Go and CEL read.
 * Six digits keep every value within CEL's 290 years. RE2, for the API server evaluates it too.
 */
export const DURATION_PATTERN = '^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?([0-9]{1,6}ms)?$';

const duration = new RegExp(DURATION_PATTERN);
const UNITS = [
  { name: 'h', millis: 3_600_000 },
  { name: 'm', millis: 60_000 },
  { name: 's', millis: 1000 },
  { name: 'ms', millis: 1 },
] as const;

/** Reads `30s`, `1m30s` or `90s` as milliseconds; undefined for anything else, the empty text too. */
export const parseDuration = (text: string): Millis | undefined => {
  const parts = text === '' ? null : duration.exec(text);
  if (parts === null) return undefined;
  return UNITS.reduce((sum, unit, i) => sum + Number.parseInt(parts[i + 1] ?? '0', 10) * unit.millis, 0);
};

/** Writes milliseconds (whole, not negative) the short way: `1m30s`, `1h`, `12s`, `250ms`, `0s`. */
export const formatDuration = (millis: Millis): string => {
  let rest = Math.max(0, Math.round(millis));
  let text = '';
  for (const unit of UNITS) {
    const count = Math.floor(rest / unit.millis);
    rest -= count * unit.millis;
    if (count > 0) text += `${count}${unit.name}`;
  }
  return text === '' ? '0s' : text;
};
