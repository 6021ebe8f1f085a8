import type { PoolStatus } from '../../api/pool.ts';
import { type Check, DEPENDENCIES, type DependencyName, titleOf } from '../dependencies/check.ts';
import type { Verdict } from '../dependencies/judge.ts';
import type { Failure } from '../restarts/failures.ts';
import { firstLine } from '../sentence.ts';
import type { PoolState, ReplicaView } from '../state.ts';
import type { Care } from './look-after.ts';

export type WorkerStatus = NonNullable<PoolStatus['workers']>[number];

/** As the definition of the resource bounds it. */
const MOST = 200;
const BECAUSE_LIMIT = 500;

/** The sickest first, then by name, so that the list is the same as long as the pool is. */
export function renderWorkers({ replicas }: PoolState, care: Care): readonly WorkerStatus[] {
  if (!replicas.ok) return [];
  const checked = new Set(care.verdicts.map(({ name }: Verdict) => name));
  const failures = new Map(care.plan.failures.map((failure) => [failure.uid, failure]));
  const rows = replicas.value
    .filter(({ phase }) => phase !== 'Failed' && phase !== 'Succeeded')
    .map((replica) => renderWorker(replica, { checked, failure: failures.get(replica.uid) }));
  return rows.toSorted((a, b) => rankOf(a) - rankOf(b) || (a.pod < b.pod ? -1 : 1)).slice(0, MOST);
}

const PHASES: readonly WorkerStatus['phase'][] = [
  'Failed',
  'Held',
  'Pending',
  'Starting',
  'Cordoned',
  'Working',
  'Stopping',
];

const isSick = ({ redis, supabase }: WorkerStatus): boolean => redis === 'Unhealthy' || supabase === 'Unhealthy';

const rankOf = (row: WorkerStatus): number => (isSick(row) && row.phase !== 'Failed' ? 0.5 : PHASES.indexOf(row.phase));

type Known = Readonly<{ checked: ReadonlySet<DependencyName>; failure: Failure | undefined }>;

function renderWorker(replica: ReplicaView, { checked, failure }: Known): WorkerStatus {
  const { name, node, health, worker } = replica;
  const because = becauseOf(replica, failure);
  const { work, cordonedUntil } = health.ok ? health.value : {};
  return {
    pod: name,
    ...(node === undefined ? {} : { node }),
    phase: phaseOf(replica, failure),
    ...(work === undefined ? {} : { active: work.active, slots: work.slots }),
    ...Object.fromEntries(
      DEPENDENCIES.filter((each) => checked.has(each)).map((each) => [each, stateOf(checkOf(replica, each))]),
    ),
    ...(cordonedUntil === undefined ? {} : { cordonedUntil }),
    containerRestarts: worker.restarts,
    ...(because === undefined ? {} : { because: firstLine(because, BECAUSE_LIMIT) }),
  };
}

const checkOf = ({ health }: ReplicaView, name: DependencyName): Check => (health.ok ? health.value[name] : health);

const stateOf = (check: Check): 'Healthy' | 'Unhealthy' | 'Unknown' => {
  if (!check.ok) return 'Unknown';
  return check.value.ok ? 'Healthy' : 'Unhealthy';
};

function phaseOf(replica: ReplicaView, failure: Failure | undefined): WorkerStatus['phase'] {
  const { terminating, scheduledAt, cannotStart, health, ready } = replica;
  if (terminating) return 'Stopping';
  if (failure !== undefined || cannotStart !== undefined) return 'Failed';
  if (scheduledAt === undefined) return 'Pending';
  if (health.ok && health.value.work.held !== null) return 'Held';
  if (health.ok && health.value.work.cordoned) return 'Cordoned';
  return ready ? 'Working' : 'Starting';
}

/** A replica's sentence may name the dependency itself. */
const withTitle = (name: DependencyName, because: string): string =>
  because.startsWith(titleOf(name)) ? because : `${titleOf(name)}: ${because}`;

function becauseOf(replica: ReplicaView, failure: Failure | undefined): string | undefined {
  const { cannotStart, unscheduledBecause, terminating, health } = replica;
  if (terminating) return undefined;
  if (failure !== undefined) return failure.because;
  if (cannotStart !== undefined) return cannotStart;
  if (unscheduledBecause !== undefined) return `no node takes it: ${unscheduledBecause}`;
  const failing = DEPENDENCIES.flatMap((name) => {
    const check = checkOf(replica, name);
    return check.ok && !check.value.ok ? [withTitle(name, check.value.because)] : [];
  });
  if (failing.length > 0) return failing.join('; ');
  if (!health.ok) return replica.worker.state === 'Running' ? health.because : undefined;
  return health.value.work.held ?? undefined;
}
