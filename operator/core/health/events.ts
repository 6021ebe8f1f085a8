import type { PoolEvent } from '../pool-event.ts';
import type { ConditionType, PoolStatus } from '../../api/pool.ts';
import { count, firstLine } from '../sentence.ts';
import type { PoolState, ReplicaView } from '../state.ts';
import type { Care } from './look-after.ts';
import { type HealthFact, sayBudget, sayDependencies } from './say.ts';

/** What is new about the health of a pool; what the status has said before is not said again. */
export function healthEvents(state: PoolState, care: Care): readonly PoolEvent[] {
  const before = state.pool.status;
  return [onDependencies(before, sayDependencies(care)), onBudget(before, sayBudget(care)), ...onStarts(state)].filter(
    (event) => event !== undefined,
  );
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

/** In the words of the scheduler or the kubelet, once for each of their sentences, however many replicas it is about. */
function onStarts({ pool, replicas }: PoolState): readonly PoolEvent[] {
  const living = replicas.ok ? replicas.value.filter(({ terminating }) => !terminating) : [];
  const said = new Set((pool.status?.workers ?? []).map(({ because }) => because));
  const about = Map.groupBy(
    living.filter((replica) => wordsOf(replica) !== undefined),
    (replica) => wordsOf(replica) ?? '',
  );
  return [...about].flatMap(([words, pods]): readonly PoolEvent[] => {
    if ([...said].some((because) => because?.includes(firstLine(words, 300)) === true)) return [];
    const note = `${count(pods.length, 'replica')} cannot start (${pods[0]?.name}): ${firstLine(words, 600)}`;
    return [{ type: 'Warning', reason: 'ReplicaCannotStart', action: 'CheckHealth', note }];
  });
}

const wordsOf = ({ cannotStart, unscheduledBecause }: ReplicaView): string | undefined =>
  cannotStart ?? unscheduledBecause;
