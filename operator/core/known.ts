/** Milliseconds since the Unix epoch, or a length in milliseconds, as the name of the value says. */
export type Millis = number;

/**
 * A value that was read, with the time of the reading, or the reason why it could not be read.
 * A missing series, a failed scrape or a stale gauge is unknown, never 0: unknown never scales down.
 */
export type Known<T> = Readonly<{ ok: true; value: T; at: Millis }> | Readonly<{ ok: false; because: string }>;

export const known = <T>(value: T, at: Millis): Known<T> => ({ ok: true, value, at });

export const unknown = (because: string): Known<never> => ({ ok: false, because });
