import type { Millis } from './known.ts';
import { sayLength } from './sentence.ts';
import type { DeploymentView } from './state.ts';

/** The field manager of every server-side apply of the operator. */
export const FIELD_MANAGER = 'agent-worker-pool';

/** So many corrections within this time, and the operator keeps its hands off for as long. */
const LIMIT = 3;
export const CORRECTIONS_WINDOW_MS: Millis = 10 * 60 * 1000;

/** Who set `spec.replicas`, when it was not the operator. */
export function foreignManager(deployment: DeploymentView | null): string | undefined {
  const manager = deployment?.replicasManager;
  return manager === undefined || manager === FIELD_MANAGER ? undefined : manager;
}

export const recentCorrections = (corrections: readonly Millis[], now: Millis): readonly Millis[] =>
  corrections.filter((at) => at > now - CORRECTIONS_WINDOW_MS);

/**
 * Somebody sets the number again and again, a person or another autoscaler: two writers of one number would fight
 * for ever, so this one stops for a while and says with whom.
 */
export function handsOffUntil(corrections: readonly Millis[], now: Millis): Millis | undefined {
  const recent = recentCorrections(corrections, now);
  const last = recent.at(-1);
  return recent.length < LIMIT || last === undefined ? undefined : last + CORRECTIONS_WINDOW_MS;
}

export const sayHandsOff = (manager: string | undefined, leftMs: Millis): string =>
  `${manager ?? 'somebody else'} changed replicas ${LIMIT} times in ten minutes; left as they are for ${sayLength(leftMs)} more: stop the other writer`;
