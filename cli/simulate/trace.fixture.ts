import type { Trace } from './trace.ts';

/** Monday noon, UTC. */
export const STARTS_AT = 1_767_614_400_000;

/** A trace of `[arrival, duration]` in seconds. */
export function traceOf(...jobs: readonly (readonly [arrival: number, duration: number])[]): Trace {
  return {
    name: 'made-up.csv',
    startsAt: STARTS_AT,
    arrivals: Float64Array.from(jobs, ([arrival]) => arrival * 1000),
    durations: Float64Array.from(jobs, ([, duration]) => duration * 1000),
  };
}

/** So many jobs that arrive together. */
export const burst = (jobs: number, at: number, duration: number): (readonly [number, number])[] =>
  Array.from({ length: jobs }, () => [at, duration] as const);
