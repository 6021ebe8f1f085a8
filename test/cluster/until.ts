import { setTimeout as sleep } from 'node:timers/promises';

/** A condition did not come true in time. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

export type UntilOptions = Readonly<{ what: string; limitMs: number; everyMs?: number }>;

/** Asks again and again until the answer is neither undefined nor false, and returns it. Throws TimedOut. */
export const until = async <T>(
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  { what, limitMs, everyMs = 50 }: UntilOptions,
): Promise<T> => {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new TimedOut(`${what}: not within ${limitMs / 1000} s`);
    await sleep(everyMs);
  }
};
