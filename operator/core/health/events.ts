import type { ConditionType, PoolStatus } from '../../api/pool.ts';
import type { PoolEvent } from '../pool-event.ts';
import type { Failure } from '../restarts/failures.ts';
import { count, firstLine } from '../sentence.ts';
import type { PoolState, ReplicaView } from '../state.ts';
import type { Care } from './look-after.ts';
import { type HealthFact, sayBudget, sayDependencies } from './say.ts';

/** What `next` says of the health of a pool and the written status does not; of a replica that it does not list it says nothing. */
export function healthEvents(state: PoolState, care: Care, next: PoolStatus): readonly PoolEvent[] {
  const before = state.pool.status;
  const { failures } = care.plan;
  const listed = new Set((next.workers ?? []).map(({ pod }) => pod));
  const failed = new Set(failures.map(({ uid }) => uid));
  const living = state.replicas.ok ? state.replicas.value.filter(({ terminating }) => !terminating) : [];
  return [
    onDependencies(before, sayDependencies(care)),
    onBudget(before, sayBudget(care)),
    onCrashes(
      before,
      failures.filter(({ reason, name }) => reason === 'CrashLoop' && listed.has(name)),
    ),
    ...onStarts(
      before,
      living.filter(({ uid, name }) => !failed.has(uid) && listed.has(name)),
    ),
  ].filter((event) => event !== undefined);
}

const reasonOf = (status: PoolStatus | undefined, condition: ConditionType): string | undefined =>
  status?.conditions?.find(({ type }) => type === condition)?.reason;

function onDependencies(
  before: PoolStatus | undefined,
  { status, reason, message }: HealthFact,
): PoolEvent | undefined {
  const last = reasonOf(before, 'DependenciesHealthy');
  if (reason === last || status === 'Unknown') return undefined;
  if (status === 'False') return { type: 'Warning', reason, action: 'CheckHealth', note: message };
  if (last === undefined || last === 'NotChecked') return undefined;
  return { type: 'Normal', reason: 'DependenciesHealthy', action: 'CheckHealth', note: message };
}

function onBudget(before: PoolStatus | undefined, { reason, message }: HealthFact): PoolEvent | undefined {
  if (reason !== 'Exhausted' || reasonOf(before, 'RestartBudgetAvailable') === reason) return undefined;
  return { type: 'Warning', reason: 'RestartBudgetExhausted', action: 'Restart', note: message };
}

/** When a replica begins to, and not for each time that it ends. */
function onCrashes(before: PoolStatus | undefined, crashes: readonly Failure[]): PoolEvent | undefined {
  const said = new Set((before?.workers ?? []).flatMap(({ pod, phase }) => (phase === 'Failed' ? [pod] : [])));
  const [first, ...others] = crashes.filter(({ name }) => !said.has(name));
  if (first === undefined) return undefined;
  const verb = others.length === 0 ? 'crashes' : 'crash';
  const note = `${count(others.length + 1, 'replica')} ${verb} (${first.name}): ${first.because}`;
  return { type: 'Warning', reason: 'ReplicaCrashes', action: 'CheckHealth', note };
}

/**
 * In the words of the scheduler or the kubelet, once for each of their sentences, however many replicas it is about. Of one
 * that crashes the kubelet says only how long it waits; of one whose node cannot start it, this was said for five minutes.
 */
function onStarts(before: PoolStatus | undefined, replicas: readonly ReplicaView[]): readonly PoolEvent[] {
  const said = new Set((before?.workers ?? []).map(({ because }) => because));
  const about = Map.groupBy(
    replicas.filter((replica) => wordsOf(replica) !== undefined),
    (replica) => wordsOf(replica) ?? '',
  );
  return [...about].flatMap(([words, pods]): readonly PoolEvent[] => {
    if ([...said].some((because) => because?.includes(beginningOf(words)) === true)) return [];
    const note = `${count(pods.length, 'replica')} cannot start (${pods[0]?.name}): ${firstLine(words, 600)}`;
    return [{ type: 'Warning', reason: 'ReplicaCannotStart', action: 'CheckHealth', note }];
  });
}

/** As much as the status keeps of any sentence, without the mark that it was cut. */
const beginningOf = (words: string): string => firstLine(words, 300).replace(/…$/, '');

const wordsOf = ({ cannotStart, unscheduledBecause }: ReplicaView): string | undefined =>
  cannotStart ?? unscheduledBecause;
