import type { Millis } from './known.ts';
import { sayLength } from './sentence.ts';
import type { DeploymentView } from './state.ts';

/** The field manager of every server-side apply of the operator. */
export const FIELD_MANAGER = 'agent-worker-pool';

/** So many corrections within this time, and the operator keeps its hands off for as long. */
const LIMIT = 3;
const CORRECTIONS_WINDOW_MS: Millis = 10 * 60 * 1000;

/** Somebody else's number that was corrected. */
export type Correction = Readonly<{ at: Millis; manager: string }>;

/**
 * Who set `spec.replicas`, when it was not the operator. Of a scale to zero Kubernetes keeps no owner at all: a `Scale`
 * leaves a zero out, and so nobody has set the field.
 */
export function foreignManager(deployment: DeploymentView | null): string | undefined {
  if (deployment === null) return undefined;
  const { replicasManager = 'somebody' } = deployment;
  return replicasManager === FIELD_MANAGER ? undefined : replicasManager;
}

export const recentCorrections = (corrections: readonly Correction[], now: Millis): readonly Correction[] =>
  corrections.filter(({ at }) => at > now - CORRECTIONS_WINDOW_MS);

/**
 * Somebody sets the number again and again, a person or another autoscaler: two writers of one number would fight
 * for ever, so this one stops for a while and says with whom.
 */
export function handsOffUntil(corrections: readonly Correction[], now: Millis): Millis | undefined {
  const recent = recentCorrections(corrections, now);
  const last = recent.at(-1);
  return recent.length < LIMIT || last === undefined ? undefined : last.at + CORRECTIONS_WINDOW_MS;
}

export function sayHandsOff(corrections: readonly Correction[], leftMs: Millis): string {
  const writers = [...new Set(corrections.map(({ manager }) => manager))].join(' and ');
  return `${writers} changed replicas ${LIMIT} times in ten minutes; left as they are for ${sayLength(leftMs)} more: stop the other writer`;
}
