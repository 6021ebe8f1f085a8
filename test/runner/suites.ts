/** A part of `npm test`; all but `check` are projects of vitest. */
export type SuiteName = 'check' | 'unit' | 'contract' | 'integration' | 'e2e' | 'long';

export type Suite = Readonly<{
  name: SuiteName;
  /** Its tests run inside the network namespace of a cluster. */
  needsCluster: boolean;
  /** A suite that takes longer hangs, and is ended as failed. */
  limitMinutes: number;
}>;

/** In the order in which they run: what fails soonest first. */
export const SUITES: readonly Suite[] = [
  { name: 'check', needsCluster: false, limitMinutes: 5 },
  { name: 'unit', needsCluster: false, limitMinutes: 10 },
  { name: 'contract', needsCluster: true, limitMinutes: 20 },
  { name: 'integration', needsCluster: false, limitMinutes: 30 },
  { name: 'e2e', needsCluster: true, limitMinutes: 40 },
  { name: 'long', needsCluster: true, limitMinutes: 24 * 60 },
];

/** Runs only when it is named; its tests are counted as skipped otherwise. */
export const ON_REQUEST: SuiteName = 'long';
export const ON_REQUEST_REASON = `runs with npm test -- ${ON_REQUEST}`;
