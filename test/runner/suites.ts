/** A part of `npm test`; all but `check` are projects of vitest. */
export type SuiteName = 'check' | 'unit' | 'contract' | 'integration' | 'load' | 'e2e' | 'long';

/** `first` asks of the machine what it has; the end-to-end tests wait for Kubernetes most of the time. */
export type Lane = 'first' | 'e2e';

export const LANES: readonly Lane[] = ['first', 'e2e'];

export type Suite = Readonly<{
  name: SuiteName;
  /** Its tests run inside the network namespace of a cluster. */
  needsCluster: boolean;
  /** Suites of one lane run one after the other, the lanes side by side: most of a lane is waiting. */
  lane: Lane;
  /** A suite that takes longer hangs, and is ended as failed. */
  limitMinutes: number;
}>;

/** In the order in which they run: what fails soonest first. */
export const SUITES: readonly Suite[] = [
  { name: 'check', needsCluster: false, lane: 'first', limitMinutes: 5 },
  { name: 'unit', needsCluster: false, lane: 'first', limitMinutes: 10 },
  { name: 'contract', needsCluster: true, lane: 'first', limitMinutes: 20 },
  { name: 'integration', needsCluster: false, lane: 'first', limitMinutes: 30 },
  { name: 'load', needsCluster: true, lane: 'first', limitMinutes: 20 },
  { name: 'e2e', needsCluster: true, lane: 'e2e', limitMinutes: 40 },
  { name: 'long', needsCluster: true, lane: 'first', limitMinutes: 24 * 60 },
];

/** Runs only when it is named; its tests are counted as skipped otherwise. */
export const ON_REQUEST: SuiteName = 'long';
export const ON_REQUEST_REASON = `runs with npm test -- ${ON_REQUEST}`;
