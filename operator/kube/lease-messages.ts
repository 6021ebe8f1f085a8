import type { Credentials } from './credentials.ts';
import type { ElectionTimings, Loss } from './election.ts';
import type { RequestLabels } from './metrics.ts';

/** What the lease's thread is started with. */
export type LeaseThreadData = Readonly<{
  namespace: string;
  name: string;
  identity: string;
  timings: ElectionTimings;
  credentials: Credentials;
  userAgent: string;
  cureOfMissingRight: string | undefined;
  /** Three times in nanoseconds of the process's monotonic clock, indexed by `shared`. */
  times: BigInt64Array<SharedArrayBuffer>;
}>;

/** Times are shared, not sent: a loop that is busy reads no messages. */
export const shared = { validUntil: 0, heartbeat: 1, threadAlive: 2 } as const;

export type ToThread = Readonly<{ kind: 'release' }> | Readonly<{ kind: 'credentials'; credentials: Credentials }>;

export type FromThread =
  | Readonly<{ kind: 'acquired'; epoch: number }>
  | Readonly<{ kind: 'lost'; loss: Loss }>
  | Readonly<{ kind: 'released' }>
  | Readonly<{ kind: 'barred'; because: string | undefined }>
  | Readonly<{ kind: 'credentials-wanted' }>
  | Readonly<{ kind: 'answered'; labels: RequestLabels }>
  | Readonly<{ kind: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; fields: object; message: string }>;

/** Milliseconds of the process's monotonic clock, the same in every thread (`performance.now` is not). */
export const monotonicMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

export const loadMs = (times: BigInt64Array, index: number): number => Number(Atomics.load(times, index)) / 1e6;

export const storeMs = (times: BigInt64Array, index: number, ms: number): void => {
  Atomics.store(times, index, BigInt(Math.round(ms * 1e6)));
};
