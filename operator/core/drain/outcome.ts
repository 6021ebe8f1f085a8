import type { DecisionReason } from '../because.ts';
import type { PoolEvent } from '../pool-event.ts';
import { count, sayLength } from '../sentence.ts';
import type { PoolState } from '../state.ts';
import { foreignCostsTold } from './foreign-cost.ts';
import type { DrainPlan } from './steps.ts';
import { type DrainMemory, type DrainReplica, type Removing, withPods } from './view.ts';

/** What became of the drain of one replica, told once. */
export type DrainOutcome = Readonly<{
  outcome: 'proven' | 'reversed' | 'timed_out';
  replica: string;
  because: string;
}>;

/** Named are the first few; the others are a number. */
const NAMED = 3;

/** The half of the decision's sentence that says why nobody goes yet. */
export function sayDraining({ draining, waitsFor }: DrainPlan): Readonly<{ reason: DecisionReason; because: string }> {
  if (draining.length === 0) return { reason: 'Draining', because: 'the replicas are asked who is idle' };
  const named = draining.slice(0, NAMED).map(({ replica, because }) => `${replica.name}: ${because}`);
  const more = draining.length > NAMED ? [`and ${draining.length - NAMED} more`] : [];
  const wait = waitsFor === undefined ? [] : [`waiting, ${waitsFor}`];
  const text = [...named, ...more, ...wait].join('; ');
  return { reason: 'Draining', because: `${count(draining.length, 'replica')} on the way out (${text})` };
}

/** The number that was read and the one that is written. */
type Change = Readonly<{ from: number; to: number }>;

/** What the next pass is to know: the plan's memory, and the evidence of removals until they are seen. What was told is told. */
export function rememberDrain(state: PoolState, plan: DrainPlan | undefined, change: Change): DrainMemory {
  const gone = new Set(goneOf(state).map(({ uid }) => uid));
  const before = Object.entries(state.memory.drain.removing).filter(([uid]) => !gone.has(uid));
  const removing = {
    ...Object.fromEntries(before),
    ...(change.to < change.from ? removingBy(plan, state, change.from) : {}),
  };
  const memory = plan?.memory ?? state.memory.drain;
  return { ...memory, removing, reversed: [], foreignCostsTold: foreignCostsTold(state) };
}

/** The evidence for each replica that this number takes away. */
function removingBy(plan: DrainPlan | undefined, state: PoolState, from: number): Readonly<Record<string, Removing>> {
  const proven = plan?.lower?.proven ?? [];
  return Object.fromEntries(
    proven.map(({ replica, because }) => [
      replica.uid,
      { name: replica.name, because: `${because}${sayLastJob(replica)}`, from, at: state.now },
    ]),
  );
}

function sayLastJob({ answer }: DrainReplica): string {
  const last = answer.ok ? answer.value.lastFinished : null;
  if (last === null) return '; it has ended no job';
  return `; the last job that it ended was ${last.job ?? 'unnamed'} at ${last.at}`;
}

/** Those whose removal was decided and that are not there any more. */
function goneOf({ replicas, memory }: PoolState): readonly (Removing & Readonly<{ uid: string }>)[] {
  if (!replicas.ok) return [];
  const there = new Set(replicas.value.filter(({ terminating }) => !terminating).map(({ uid }) => uid));
  return Object.entries(memory.drain.removing).flatMap(([uid, removing]) =>
    there.has(uid) ? [] : [{ ...removing, uid }],
  );
}

/** Everything that ended in this pass. */
export function outcomesOf(state: PoolState, plan: DrainPlan | undefined): readonly DrainOutcome[] {
  const removed = goneOf(state).map(({ name, because, from, at }) => {
    const sets = state.replicaSets;
    const counted = sets.ok ? withPods(sets.value).reduce((sum, { status }) => sum + status.replicas, 0) : undefined;
    const after = counted === undefined ? '' : `; the ReplicaSet counted ${from} before and ${counted} after`;
    const text = `${because}, ${sayLength(state.now - at)} ago${after}`;
    return { outcome: 'proven', replica: name, because: text } as const;
  });
  const reversed = state.memory.drain.reversed.map(
    (replica) => ({ outcome: 'reversed', replica, because: 'it is wanted again' }) as const,
  );
  const limit = sayLength(state.pool.spec.drain.timeoutMs);
  const late = (plan?.overdue ?? []).map((replica) => {
    const then = plan?.memory.spared[replica.uid] === undefined ? 'it goes on until they have ended' : 'it works again';
    return {
      outcome: 'timed_out',
      replica: replica.name,
      because: `its jobs take longer than ${limit}: ${then}`,
    } as const;
  });
  return [...removed, ...reversed, ...late];
}

/** A replica that was given back to work is no news for a person. */
export const drainEvents = (outcomes: readonly DrainOutcome[]): readonly PoolEvent[] =>
  outcomes.flatMap(({ outcome, replica, because }): readonly PoolEvent[] => {
    switch (outcome) {
      case 'proven':
        return [
          { type: 'Normal', reason: 'ReplicaRemoved', action: 'Scale', note: `${replica} was removed: ${because}` },
        ];
      case 'timed_out':
        return [{ type: 'Warning', reason: 'DrainTimedOut', action: 'Drain', note: `${replica}: ${because}` }];
      case 'reversed':
        return [];
    }
  });
