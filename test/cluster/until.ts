import { setTimeout as sleep } from 'node:timers/promises';

/** A condition did not come true in time. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

/** So long anything may take whose time nobody has promised: longer than a busy machine needs, shorter than a test. */
const PATIENCE_MS = 120_000;

/** `limitMs` is stated where the time is a promise, or where it is known to take longer than all else. */
export type UntilOptions = Readonly<{ what: string; limitMs?: number | undefined; everyMs?: number }>;

/** Asks again and again until the answer is neither undefined nor false, and returns it. Throws TimedOut. */
export const until = async <T>(
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  { what, limitMs = PATIENCE_MS, everyMs = 50 }: UntilOptions,
): Promise<T> => {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new TimedOut(`${what}: not within ${limitMs / 1000} s`);
    await sleep(everyMs);
  }
};
