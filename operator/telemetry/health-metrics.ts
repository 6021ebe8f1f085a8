import { Counter, Gauge, type Registry } from 'prom-client';

type PoolName = Readonly<{ namespace: string; name: string }>;

const STATES = ['healthy', 'unhealthy', 'unknown'] as const;
const REASONS = ['CrashLoop', 'CannotReachDependency', 'Wedged', 'NodeCannotStart'] as const;
const BREAKER = ['Closed', 'HalfOpen', 'Open'] as const;

export type DependencyFacts = Readonly<{
  name: string;
  counts: Readonly<Record<(typeof STATES)[number], number>>;
  breaker: (typeof BREAKER)[number];
}>;

export type HealthMetrics = Readonly<{
  restarts: Counter<'reason'>;
  observe: (pool: PoolName, facts: Readonly<{ dependencies: readonly DependencyFacts[]; budgetLeft: number }>) => void;
  forget: (pool: PoolName) => void;
}>;

/** Series of the health of replicas. A dependency that is not checked any more has none. */
export function createHealthMetrics(registry: Registry): HealthMetrics {
  const registers = [registry];
  const up = new Gauge({
    name: 'awp_replica_dependency_up',
    help: 'Replicas of a pool by what their last check of a dependency said: healthy, unhealthy, unknown.',
    labelNames: ['namespace', 'pool', 'dependency', 'state'],
    registers,
  });
  const breaker = new Gauge({
    name: 'awp_dependency_breaker_state',
    help: 'Breaker of a dependency of a pool: 0 closed, 1 half open, 2 open (nothing is restarted or scaled).',
    labelNames: ['namespace', 'pool', 'dependency'],
    registers,
  });
  const left = new Gauge({
    name: 'awp_restart_budget_left',
    help: 'Retries that are left for the current template of a pool.',
    labelNames: ['namespace', 'pool'],
    registers,
  });
  const forget = ({ namespace, name }: PoolName): void => {
    for (const dependency of ['redis', 'supabase']) {
      breaker.remove({ namespace, pool: name, dependency });
      for (const state of STATES) up.remove({ namespace, pool: name, dependency, state });
    }
    left.remove({ namespace, pool: name });
  };
  const restarts = new Counter({
    name: 'awp_restarts_total',
    help: 'Replicas that the operator deleted because they had failed, by reason.',
    labelNames: ['reason'],
    registers,
  });
  for (const reason of REASONS) restarts.inc({ reason }, 0);
  return {
    restarts,
    observe: (pool, { dependencies, budgetLeft }) => {
      forget(pool);
      const labels = { namespace: pool.namespace, pool: pool.name };
      left.set(labels, budgetLeft);
      for (const { name, counts, breaker: state } of dependencies) {
        breaker.set({ ...labels, dependency: name }, BREAKER.indexOf(state));
        for (const each of STATES) up.set({ ...labels, dependency: name, state: each }, counts[each]);
      }
    },
    forget,
  };
}
