import type { ConditionType } from '../api/pool.ts';
import type { Because } from './because.ts';
import type { Corrected } from './corrections.ts';
import type { PoolEvent } from './pool-event.ts';
import type { ScaleMemory } from './scale-memory.ts';
import type { PoolState } from './state.ts';

export type ChangeInput = Readonly<{
  memory: Pick<ScaleMemory, 'raisingTo'>;
  because: Because;
  from: number;
  to: number;
  wanted: number;
  corrected: Corrected | undefined;
  /** The Deployment existed and is gone. */
  recreated: boolean;
}>;

export type StandingInput = Readonly<{
  state: PoolState;
  stalled: Readonly<{ reason: string; message: string }> | undefined;
  /** Why the pool is not scaled by its queue. */
  held?: Because | undefined;
}>;

/**
 * What an apply changes. The way up to a wanted number is one event, however many steps it takes; each removal is one,
 * since that is what people ask about.
 */
export const changeEvents = (input: ChangeInput): readonly PoolEvent[] =>
  [recreation(input), scaling(input)].filter((event) => event !== undefined);

/** How the pool stands, where the written status says it otherwise. */
export const standingEvents = (input: StandingInput): readonly PoolEvent[] =>
  [anotherWriter(input), stalling(input)].filter((event) => event !== undefined);

/** What is told of a way up holds until its end, or until another number is wanted. */
export function wayUp(
  { raisingTo }: Pick<ScaleMemory, 'raisingTo'>,
  { from, to, wanted }: Pick<ChangeInput, 'from' | 'to' | 'wanted'>,
): Pick<ScaleMemory, 'raisingTo'> {
  const goesOn = wanted > to && (to > from || wanted === raisingTo);
  return { raisingTo: goesOn ? wanted : undefined };
}

const recreation = ({ recreated }: ChangeInput): PoolEvent | undefined =>
  recreated
    ? {
        type: 'Warning',
        reason: 'DeploymentRecreated',
        action: 'Apply',
        note: 'the Deployment was gone and is made again',
      }
    : undefined;

function scaling({ memory, because, from, to, wanted, corrected }: ChangeInput): PoolEvent | undefined {
  if (corrected !== undefined) {
    const note = `${corrected.manager} set replicas to ${corrected.replicas}; corrected to ${to}: ${because.message}`;
    return { type: 'Warning', reason: 'ReplicasCorrected', action: 'Scale', note };
  }
  const isNew = to < from || (to > from && wanted !== memory.raisingTo);
  if (!isNew) return undefined;
  return { type: 'Normal', reason: 'Scaled', action: 'Scale', note: `Scaled ${from} → ${to}: ${because.message}` };
}

const ANOTHER_WRITER: ReadonlySet<Because['reason']> = new Set(['HandsOff', 'OtherAutoscaler']);

const reasonBefore = (state: PoolState, condition: ConditionType): string | undefined =>
  state.pool.status?.conditions?.find(({ type }) => type === condition)?.reason;

function anotherWriter({ state, held }: StandingInput): PoolEvent | undefined {
  if (held === undefined || !ANOTHER_WRITER.has(held.reason)) return undefined;
  if (reasonBefore(state, 'ScalingActive') === held.reason) return undefined;
  return { type: 'Warning', reason: held.reason, action: 'Scale', note: held.message };
}

function stalling({ state, stalled }: StandingInput): PoolEvent | undefined {
  if (stalled === undefined || reasonBefore(state, 'Stalled') === stalled.reason) return undefined;
  return { type: 'Warning', reason: stalled.reason, action: 'Reconcile', note: stalled.message };
}
