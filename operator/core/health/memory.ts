import type { PoolStatus } from '../../api/pool.ts';
import type { DependencyName } from '../dependencies/check.ts';
import { type DependencyMemory, FIRST_DEPENDENCY_MEMORY, openMemory } from '../dependencies/judge.ts';
import type { Millis } from '../known.ts';
import { firstRestartMemory, type RestartMemory } from '../restarts/view.ts';

/** What one leader has seen of a pool's health and cannot read again. */
export type HealthMemory = Readonly<{
  dependencies: Readonly<Record<DependencyName, DependencyMemory>>;
  restarts: RestartMemory;
  /** Something is not well, or not known: the operator checks at the pace of the replicas. */
  alert: boolean;
  /** A dependency answers the operator again, and the word of a replica is waited for: it is asked often. */
  waitsForReplica: boolean;
}>;

/**
 * A leader that comes while the status says that a dependency is out begins with open breakers, of which the condition
 * does not say: closing them takes the same checks as ever.
 */
export function firstHealthMemory(status: PoolStatus | undefined, now: Millis): HealthMemory {
  const condition = status?.conditions?.find(({ type }) => type === 'DependenciesHealthy');
  const reason = condition?.status === 'False' ? condition.reason : undefined;
  const isOpen = reason === 'DependencyUnavailable' || reason === 'ReplicasCannotReach';
  // While it is open none is removed: a pool that has none had none that could meet the outage.
  const metReplicas = (status?.replicas?.current ?? 1) > 0;
  const reached = status?.queue?.observedAt !== undefined;
  const memory = isOpen
    ? openMemory(reason, { since: now, metReplicas, reached })
    : { ...FIRST_DEPENDENCY_MEMORY, reached };
  const dependencies = { redis: memory, supabase: memory };
  return { dependencies, restarts: firstRestartMemory(now), alert: true, waitsForReplica: false };
}
