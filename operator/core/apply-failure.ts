import type { Verdict } from './conditions.ts';
import type { Millis } from './known.ts';
import { firstLine } from './sentence.ts';
import type { PoolState } from './state.ts';

const APPLY_FAILING = 'ApplyFailing';

/** What restarts comes back within this; what stays away longer is somebody's to mend. */
const PATIENCE_MS: Millis = 30_000;

export type FailureVerdict = Pick<Verdict, 'stalled' | 'reconciling' | 'scalingHeld'>;

/** What the conditions say while applying fails: nothing is given up, it is tried again and again. */
export function failureVerdict({ memory, now }: PoolState): FailureVerdict | undefined {
  const { applyFailure } = memory;
  if (applyFailure === undefined) return undefined;
  const isLong = now - applyFailure.since >= PATIENCE_MS;
  const cure = isLong ? ': see what it names, an admission webhook or a missing right for instance' : '';
  const because = {
    reason: APPLY_FAILING,
    message: `the API server fails to apply the Deployment and is asked again; running workers are left as they are: ${firstLine(applyFailure.because, 600)}${cure}`,
  };
  return { scalingHeld: because, ...(isLong ? { stalled: because } : { reconciling: because }) };
}
