import type { Millis } from './known.ts';
import type { Correction } from './scale-memory.ts';
import { isoTime } from './time.ts';
import type { DeploymentView } from './state.ts';

/** The field manager of every server-side apply of the operator. */
export const FIELD_MANAGER = 'agent-worker-pool';

/** So many corrections within this time, and the operator keeps its hands off for as long. */
const LIMIT = 3;
const CORRECTIONS_WINDOW_MS: Millis = 10 * 60 * 1000;

/**
 * Who set `spec.replicas`, when it was not the operator. Of a scale to zero Kubernetes keeps no owner at all: a `Scale`
 * leaves a zero out, and so nobody has set the field.
 */
function foreignManager(deployment: DeploymentView | null): string | undefined {
  if (deployment === null) return undefined;
  const { replicasManager = 'somebody' } = deployment;
  return replicasManager === FIELD_MANAGER ? undefined : replicasManager;
}

/** Somebody else's number, and who set it. */
export type Corrected = Readonly<{ manager: string; replicas: number }>;

/** Whose number an apply changes, when it is not the operator's. */
export function correctedBy(
  deployment: DeploymentView | null,
  { from, to }: Readonly<{ from: number; to: number }>,
): Corrected | undefined {
  const manager = foreignManager(deployment);
  if (manager === undefined || deployment === null || to === from) return undefined;
  return { manager, replicas: deployment.replicas };
}

/** Those of the ten minutes up to the last one, until that is as old itself: so long they can be the reason to hold off. */
export function recentCorrections(corrections: readonly Correction[], now: Millis): readonly Correction[] {
  const last = corrections.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
  if (last <= now - CORRECTIONS_WINDOW_MS) return [];
  return corrections.filter(({ at }) => at > last - CORRECTIONS_WINDOW_MS);
}

/**
 * Somebody sets the number again and again, a person or another autoscaler: two writers of one number would fight
 * for ever, so this one stops for a while and says with whom.
 */
export function handsOffUntil(corrections: readonly Correction[], now: Millis): Millis | undefined {
  const recent = recentCorrections(corrections, now);
  const last = recent.at(-1);
  return recent.length < LIMIT || last === undefined ? undefined : last.at + CORRECTIONS_WINDOW_MS;
}

/** The moment, not how long it is until then: that would be another status every second. */
export function sayHandsOff(corrections: readonly Correction[], until: Millis): string {
  const writers = [...new Set(corrections.map(({ manager }) => manager))].join(' and ');
  return `${writers} changed replicas ${LIMIT} times in ten minutes; left as they are until ${isoTime(until)}: stop the other writer`;
}
