import type { Millis } from '../known.ts';
import type { Looked } from './looked.ts';
import { failureOf } from './step-outcome.ts';
import type { DrainMemory, DrainReplica, DrainView, Silence } from './view.ts';
import type { PoolEvent } from '../pool-event.ts';

/** Twice as long as a cordon holds: whatever was told before has run out. */
const LONG_MS: Millis = 120_000;

/** Since when not one of those that are to go can be told, or asked. One that cannot run need not be. */
export function silenceOf({ view, leaving }: Pick<Looked, 'view' | 'leaving'>): Silence | undefined {
  const { memory, now, asked } = view;
  if (!asked) return memory.silence;
  const called = view.replicas.filter(({ uid, cannotStart }) => leaving.has(uid) && cannotStart === undefined);
  const [first] = called;
  if (first === undefined || called.some((replica) => isTold(replica, view) && replica.answer.ok)) return undefined;
  const since = memory.silence?.since ?? now;
  return { since, isLong: now - since >= LONG_MS, because: `${first.name}: ${whySilent(first, view)}` };
}

export const sayUntold = ({ because }: Silence): string =>
  `the operator has reached none of them for two minutes (${because}), so let it reach their port`;

/** Once, when it has lasted so long that the pool goes down by Redis alone from now on. */
export function silenceEvents(before: DrainMemory, { silence }: DrainMemory): readonly PoolEvent[] {
  if (silence?.isLong !== true || before.silence?.isLong === true) return [];
  const note = `replicas go only while Redis has no active job of the pool: ${sayUntold(silence)}`;
  return [{ type: 'Warning', reason: 'ReplicasOutOfReach', action: 'Drain', note }];
}

function isTold({ uid }: DrainReplica, { memory, now }: DrainView): boolean {
  const cordon = memory.cordons[uid];
  return cordon !== undefined && now < cordon.until;
}

function whySilent(replica: DrainReplica, view: DrainView): string {
  const failure = failureOf(view.memory, { kind: 'cordon', uid: replica.uid });
  if (failure !== undefined && !isTold(replica, view)) return failure.because;
  return replica.answer.ok ? 'it was not told yet' : replica.answer.because;
}
