import { LOWEST_COST } from './foreign-cost.ts';
import type { DrainReplica, DrainView } from './view.ts';

/**
 * The replicas to drain: those whose worker cannot run, then those that are proven, then those that have failed, then those
 * that are told already, then those with the fewest and youngest jobs, of which those first that somebody else gave a lower
 * deletion cost. One with the lowest cost of all could go in place of a proven one, so only those that cannot run go before
 * it. One that was given back to work because it took too long is left alone for a while.
 */
export function chooseVictims(view: DrainView): readonly DrainReplica[] {
  const { deployment, failed, replicas, wanted } = view;
  if (deployment.replicas <= wanted) return [];
  // Those that the last, lower number takes away are there for a moment longer: they go before all others, and no other
  // is given back to work for them.
  const excess = Math.max(deployment.replicas, replicas.length) - wanted;
  const { spared } = view.memory;
  const candidates = replicas.filter(({ uid }) => failed.has(uid) || (spared[uid] ?? view.now) <= view.now);
  const ranked = candidates.map((replica) => ({ replica, rank: rankOf(replica, view) }));
  return ranked
    .sort((a, b) => compare(a.rank, b.rank))
    .slice(0, excess)
    .map(({ replica }) => replica);
}

/** Smaller goes first, field by field. */
type Rank = readonly (number | string)[];

function rankOf(replica: DrainReplica, { activeJobs, memory, failed }: DrainView): Rank {
  const { answer, name } = replica;
  const named = activeJobs.ok ? activeJobs.value.byName[name] : undefined;
  const jobs = Math.max(answer.ok ? answer.value.active : 0, named?.jobs ?? 0);
  return [
    later(replica.cannotStart === undefined),
    later(replica.foreignCost !== LOWEST_COST),
    later(replica.mark === undefined),
    later(!failed.has(replica.uid)),
    later(memory.cordons[replica.uid] === undefined),
    // One that does not answer can be told nothing.
    later(!answer.ok),
    jobs,
    -(named?.oldestStartedAt ?? 0),
    replica.foreignCost ?? 0,
    -replica.createdAt,
    name,
  ];
}

const later = (isLater: boolean): number => (isLater ? 1 : 0);

function compare(a: Rank, b: Rank): number {
  const index = a.findIndex((value, i) => value !== b[i]);
  if (index < 0) return 0;
  return (a[index] ?? 0) < (b[index] ?? 0) ? -1 : 1;
}
