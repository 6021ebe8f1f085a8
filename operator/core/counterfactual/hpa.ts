import type { Millis } from '../known.ts';

/** HPA v2 with nothing configured: `config/v1alpha1/defaults.go` and `apis/autoscaling/v2/defaults.go` of Kubernetes. */
export const HPA_SYNC_MS: Millis = 15_000;
const TOLERANCE = 0.1;
const DOWN_STABILIZATION_MS: Millis = 300_000;
const UP_PODS = 4;
const UP_FACTOR = 2;

/** What was recommended lately, oldest first. */
export type HpaMemory = readonly Readonly<{ at: Millis; replicas: number }>[];

export type HpaInput = Readonly<{
  now: Millis;
  /** The external metric, and how much of it one replica should have (`AverageValue`). */
  metric: number;
  perReplica: number;
  /** `status.replicas`, ready or not: an external metric does not ask for readiness. */
  current: number;
  minReplicas: number;
  maxReplicas: number;
}>;

/**
 * One sync of a HorizontalPodAutoscaler on an external metric, every 15 s: `ceil(metric / perReplica)` unless that is
 * within 10 % of what is there; down to the most that was recommended within 300 s; up by at most 4 pods or 100 % in
 * 15 s, whichever is more. As at zero replicas an HPA is off, so here: it answers 0. A period holds one sync, so that
 * what was changed in the same period never adds to the limit.
 */
export function syncHpa(memory: HpaMemory, input: HpaInput): Readonly<{ replicas: number; memory: HpaMemory }> {
  const { now, current } = input;
  if (current === 0) return { replicas: 0, memory: [] };
  // The number that it found when it began counts as recommended, as in `recordInitialRecommendation`.
  const before = memory.length === 0 ? [{ at: now, replicas: current }] : memory;
  const recommended = recommend(input);
  const recent = [...before.filter(({ at }) => at > now - DOWN_STABILIZATION_MS), { at: now, replicas: recommended }];
  const most = Math.max(...recent.map(({ replicas }) => replicas));
  const stable = recommended < current ? Math.min(current, most) : recommended;
  const limit = Math.max(current + UP_PODS, current * UP_FACTOR);
  const floor = Math.max(1, input.minReplicas);
  return { replicas: Math.min(Math.max(stable, floor), limit, Math.max(floor, input.maxReplicas)), memory: recent };
}

function recommend({ metric, perReplica, current }: HpaInput): number {
  const ratio = metric / (perReplica * current);
  return Math.abs(1 - ratio) <= TOLERANCE ? current : Math.ceil(metric / perReplica);
}
