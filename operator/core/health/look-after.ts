import type { Freeze } from '../bounds/bound.ts';
import { rampLimit, waitsForReplica } from '../dependencies/breaker.ts';
import type { DependencyMode, DependencyName, ReplicaCheck } from '../dependencies/check.ts';
import { judge, type Verdict } from '../dependencies/judge.ts';
import { known, type Known, unknown } from '../known.ts';
import { newestTemplateOf } from '../newest-template.ts';
import { planRestarts, type RestartPlan } from '../restarts/plan.ts';
import type { RestartReplica, RestartSpec } from '../restarts/view.ts';
import type { PoolState, ReplicaView } from '../state.ts';
import { readLedger } from './ledger-status.ts';
import type { HealthMemory } from './memory.ts';

/** What is thought of a pool's replicas and of what they depend on, and what is to be done about it. */
export type Care = Readonly<{
  verdicts: readonly Verdict[];
  plan: RestartPlan;
  /** Why the number of replicas may not follow the queue now. */
  freeze?: Freeze;
  memory: HealthMemory;
}>;

/** Its last good check speaks for a replica until three more were due. */
const FRESH_INTERVALS = 3;

/** One look at the health of a pool. `hindrance`: why nothing may be changed at all. */
export function lookAfter(state: PoolState, hindrance: string | undefined): Care {
  const { memory, now } = state;
  const living = livingOf(state.replicas);
  const templateHash = newestTemplateOf(state);
  const verdicts = dependenciesOf(state).map((each) => judgeOne(state, living, { ...each, templateHash }));
  const frozen = verdicts.filter((verdict) => verdict.frozen);
  const noRestarts = hindrance ?? verdicts.find((verdict) => verdict.noRestarts !== undefined)?.noRestarts;
  const ramps = verdicts.flatMap((verdict) => rampLimit(verdict.memory.breaker, now) ?? []);
  const ledger = readLedger(state.pool.status?.restarts);
  const retryAt = state.pool.annotations[RETRY_ANNOTATION];
  const plan = planRestarts({
    now,
    random: state.random,
    spec: specOf(state),
    ...(templateHash === undefined ? {} : { templateHash }),
    replicas: living.ok ? known(living.value.map(restartReplica), living.at) : living,
    localFaults: verdicts.flatMap(({ local }) => local),
    ...(noRestarts === undefined ? {} : { noRestarts }),
    ...(ramps.length === 0 ? {} : { rampLimit: Math.min(...ramps) }),
    jobsMayStart: mayStart(state),
    ...(retryAt === undefined ? {} : { retryAt }),
    ...(ledger === undefined ? {} : { ledger }),
    memory: memory.health.restarts,
  });
  const freeze = freezeOf(frozen, plan);
  return {
    verdicts,
    plan,
    ...(freeze === undefined ? {} : { freeze }),
    memory: {
      dependencies: {
        ...memory.health.dependencies,
        ...Object.fromEntries(verdicts.map((each) => [each.name, each.memory])),
      },
      restarts: plan.memory,
      alert: verdicts.some(({ alert }) => alert),
      waitsForReplica: verdicts.some((verdict) => waitsForReplica(verdict.memory.breaker)),
    },
  };
}

/** The annotation by which a person gives the retries back; its value is a time. */
const RETRY_ANNOTATION = 'agentpool.dev/retry-at';

function freezeOf([frozen]: readonly Verdict[], { addNone }: RestartPlan): Freeze | undefined {
  if (frozen !== undefined) {
    const { message: because, canary } = frozen;
    return { reason: 'HeldByDependency', because, canary, mayLower: false };
  }
  if (addNone === undefined) return undefined;
  return { reason: 'HeldByRestartBudget', because: addNone, canary: false, mayLower: true };
}

/** Those that count for their ReplicaSet: neither told to go nor ended. */
function livingOf(replicas: PoolState['replicas']): Known<readonly ReplicaView[]> {
  if (!replicas.ok) return replicas;
  const living = replicas.value.filter(
    ({ terminating, phase }) => !terminating && phase !== 'Failed' && phase !== 'Succeeded',
  );
  return known(living, replicas.at);
}

type Dependency = Readonly<{ name: DependencyName; mode: Exclude<DependencyMode, 'Off'> }>;

function dependenciesOf({ pool }: PoolState): readonly Dependency[] {
  const { redisMode, supabase } = pool.spec.health;
  const modes: readonly (readonly [DependencyName, DependencyMode])[] = [
    ['redis', redisMode],
    ['supabase', supabase?.mode ?? 'Off'],
  ];
  return modes.flatMap(([name, mode]) => (mode === 'Off' ? [] : [{ name, mode }]));
}

function judgeOne(
  state: PoolState,
  living: Known<readonly ReplicaView[]>,
  { name, mode, templateHash }: Dependency & Readonly<{ templateHash: string | undefined }>,
): Verdict {
  const { now, pool, memory, checks } = state;
  const { intervalMs, timeoutMs, failureThreshold } = pool.spec.health;
  const running = (living.ok ? living.value : []).filter(({ worker }) => worker.state === 'Running');
  const backlog = backlogOf(state);
  return judge({
    now,
    name,
    mode,
    operator: checks[name],
    replicas: running.map((replica): ReplicaCheck => {
      const { uid, name: pod, templateHash: of, health } = replica;
      return { uid, name: pod, templateHash: of, check: health.ok ? health.value[name] : unknown(health.because) };
    }),
    failureThreshold,
    replicaFreshMs: FRESH_INTERVALS * intervalMs + timeoutMs,
    rollingOut: running.some((replica) => replica.templateHash !== templateHash),
    ...(backlog === undefined ? {} : { backlog }),
    memory: memory.health.dependencies[name],
  });
}

const backlogOf = ({ queue }: PoolState): boolean | undefined =>
  queue.ok ? queue.value.ready > 0 && !queue.value.paused : undefined;

/** Jobs wait, and BullMQ itself would let a worker take one. */
function mayStart(state: PoolState): boolean {
  const { queue } = state;
  if (!queue.ok || backlogOf(state) !== true || queue.value.limitedForMs !== undefined) return false;
  const { concurrency, active } = queue.value;
  return concurrency === undefined || active < concurrency;
}

const specOf = ({ pool }: PoolState): RestartSpec => ({
  ...pool.spec.restarts,
  progressTimeoutMs: pool.spec.health.progressTimeoutMs,
  drainTimeoutMs: pool.spec.drain.timeoutMs,
});

const restartReplica = (replica: ReplicaView): RestartReplica => {
  const { name, uid, templateHash, node, createdAt, scheduledAt, ready, disrupted, worker, health } = replica;
  return {
    name,
    uid,
    templateHash,
    ...(node === undefined ? {} : { node }),
    createdAt,
    ...(scheduledAt === undefined ? {} : { scheduledAt }),
    ready,
    disrupted,
    worker,
    work: health.ok ? known(health.value.work, health.at) : health,
  };
};
