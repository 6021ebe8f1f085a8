import type { Pool } from '../../../operator/api/parse.ts';
import { decide } from '../../../operator/core/decide.ts';
import type { SimulatedReplica } from '../simulated-replica.ts';
import { SeenPool } from './seen-pool.ts';
import type { Autoscaler, Order, Rule, Sight } from './rule.ts';

/** A replica that is removed is idle; if it were not, it would get `drain.timeout` to end its jobs. */
const GRACE_MS = 900_000;
/** From a job's arrival at a sleeping pool to the decision; with replicas, the pool looks once a second. */
const WAKE_MS = 50;
const PACED_MS = 1000;
/** From the last job's end to the removal: two witnesses, and the controllers must have seen it. */
const HANDSHAKE_MS = 3000;

/** The operator's own decision, and a drain of the replicas with the fewest and youngest jobs that can be taken back. */

export const ours: Rule = { name: 'ours', graceMs: GRACE_MS, start: (pool) => begin(pool) };

function begin(pool: Pool): Autoscaler {
  const { minReplicas, maxReplicas } = pool.spec.scaling;
  const seen = new SeenPool(pool);
  const idleSince = new Map<string, number>();
  return {
    startsWith: Math.min(minReplicas, maxReplicas),
    look: (sight) => {
      const decision = decide(seen.state(sight));
      const up = seen.apply(decision, sight.now);
      const drained = drain(sight, { wanted: decision.wanted, idleSince });
      const wakesIn = decision.wake === 'instant' ? WAKE_MS : PACED_MS;
      return {
        ...drained,
        replicas: Math.max(drained.replicas, up),
        lookAgainAt: sight.now + decision.recheckAfterMs,
        wakesFrom: sight.now + wakesIn,
      };
    },
  };
}

function drain(
  { now, replicas }: Sight,
  { wanted, idleSince }: Readonly<{ wanted: number; idleSince: Map<string, number> }>,
): Pick<Order, 'replicas' | 'cordon' | 'uncordon'> {
  const excess = replicas.length - wanted;
  const ranked = replicas
    .filter((replica) => !replica.isStarting)
    .toSorted(
      (a, b) =>
        Number(b.cordoned) - Number(a.cordoned) ||
        a.jobs.size - b.jobs.size ||
        oldest(b) - oldest(a) ||
        b.createdAt - a.createdAt,
    );
  const victims = new Set(excess > 0 ? ranked.slice(0, excess) : []);
  for (const replica of replicas) {
    if (replica.cordoned && victims.has(replica) && replica.jobs.size === 0) {
      if (!idleSince.has(replica.name)) idleSince.set(replica.name, now);
    } else idleSince.delete(replica.name);
  }
  const proven = [...victims].filter((victim) => now - (idleSince.get(victim.name) ?? now) >= HANDSHAKE_MS);
  return {
    replicas: replicas.length - proven.length,
    cordon: [...victims].filter((victim) => !victim.cordoned),
    uncordon: replicas.filter((replica) => replica.cordoned && !victims.has(replica)),
  };
}

const oldest = (replica: SimulatedReplica): number => Math.min(...replica.jobs.values());
