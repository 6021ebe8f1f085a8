import { sleep } from './wait.ts';

export type RateLimit = Readonly<{ perSecond: number; burst: number }>;

export type TokenBucket = Readonly<{
  /** Takes a token if there is one now. */
  tryTake(): boolean;
  /** Waits for a token, first come first served; rejects when the signal is aborted. */
  take(signal?: AbortSignal): Promise<void>;
}>;

/**
 * A token bucket on the monotonic clock. `take` books its token at once and sleeps until the booked time, so waiting
 * calls leave in the order in which they came; a call that gives up leaves its token unused.
 */
export function createTokenBucket(limit: RateLimit, now: () => number = () => performance.now()): TokenBucket {
  let tokens = limit.burst;
  let at = now();
  const refill = () => {
    const time = now();
    tokens = Math.min(limit.burst, tokens + ((time - at) / 1000) * limit.perSecond);
    at = time;
  };
  return {
    tryTake() {
      refill();
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
    async take(signal) {
      refill();
      tokens -= 1;
      if (tokens < 0) await sleep((-tokens / limit.perSecond) * 1000, signal);
    },
  };
}
