export type BackoffOptions = Readonly<{ baseMs: number; maxMs: number }>;

/**
 * Full jitter: a random time between 0 and min(max, base * 2^attempt). Many clients that failed together do not come
 * back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export function fullJitter(attempt: number, options: BackoffOptions, random: () => number = Math.random): number {
  return random() * Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 40));
}

/** As `fullJitter`, but never less than half of the ceiling: for loops that must not spin even by bad luck. */
export function halfJitter(attempt: number, options: BackoffOptions, random: () => number = Math.random): number {
  const ceiling = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 40));
  return ceiling / 2 + (random() * ceiling) / 2;
}
