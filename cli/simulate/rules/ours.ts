import type { Pool } from '../../../operator/api/parse.ts';
import { decide } from '../../../operator/core/decide.ts';
import { SimulatedDrain } from './drain.ts';
import type { Autoscaler, Rule } from './rule.ts';
import { SeenPool } from './seen-pool.ts';

/** A replica that is removed is idle; if it were not, it would get `drain.timeout` to end its jobs. */
const GRACE_MS = 900_000;
/** From a job's arrival at a sleeping pool to the decision; with replicas, the pool looks once a second. */
const WAKE_MS = 50;
const PACED_MS = 1000;

/** The operator's own decision, and its own drain. */
export const ours: Rule = { name: 'ours', graceMs: GRACE_MS, start: begin };

function begin(pool: Pool): Autoscaler {
  const { minReplicas, maxReplicas } = pool.spec.scaling;
  const seen = new SeenPool(pool);
  const drain = new SimulatedDrain();
  return {
    startsWith: Math.min(minReplicas, maxReplicas),
    look: (sight) => {
      const { now, replicas } = sight;
      const decision = decide(seen.state(sight));
      const written = seen.apply(decision) ?? replicas.length;
      const drained = drain.look(sight, decision.wanted);
      // A pool that grows is not drained; one that nobody works in may be lowered by the decision itself.
      const lowered = written === replicas.length ? drained.replicas : undefined;
      if (lowered !== undefined) seen.lower(lowered);
      return {
        ...drained,
        replicas: lowered ?? written,
        lookAgainAt: now + decision.recheckAfterMs,
        wakesFrom: now + (decision.wake === 'instant' ? WAKE_MS : PACED_MS),
      };
    },
  };
}
