import type { ConditionType } from '../api/pool.ts';
import type { Because } from './because.ts';
import type { PoolEvent } from './pool-event.ts';
import type { PoolState } from './state.ts';

export type EventsInput = Readonly<{
  state: PoolState;
  because: Because;
  from: number;
  to: number;
  wanted: number;
  stalled: Readonly<{ reason: string; message: string }> | undefined;
  /** Why the pool is not scaled by its queue. */
  held?: Because | undefined;
  /** Somebody else's number that this decision corrects, with its author. */
  corrected?: Readonly<{ manager: string; replicas: number }> | undefined;
  /** The Deployment existed and is gone. */
  recreated: boolean;
}>;

/**
 * Events are for what changed, never for each pass: what was said in the status is not said again. The way up to a wanted
 * number is one event, however many steps it takes; each removal is one, since that is what people ask about.
 */
export const eventsOf = (input: EventsInput): readonly PoolEvent[] =>
  [recreation(input), scaling(input), anotherWriter(input), stalling(input)].filter((event) => event !== undefined);

const recreation = ({ recreated }: EventsInput): PoolEvent | undefined =>
  recreated
    ? {
        type: 'Warning',
        reason: 'DeploymentRecreated',
        action: 'Apply',
        note: 'the Deployment was gone and is made again',
      }
    : undefined;

function scaling({ state, because, from, to, wanted, corrected }: EventsInput): PoolEvent | undefined {
  if (corrected !== undefined) {
    const note = `${corrected.manager} set replicas to ${corrected.replicas}; corrected to ${to}: ${because.message}`;
    return { type: 'Warning', reason: 'ReplicasCorrected', action: 'Scale', note };
  }
  const isNew = to < from || (to > from && wanted !== state.pool.status?.replicas?.wanted);
  if (!isNew) return undefined;
  return { type: 'Normal', reason: 'Scaled', action: 'Scale', note: `Scaled ${from} → ${to}: ${because.message}` };
}

const ANOTHER_WRITER: ReadonlySet<Because['reason']> = new Set(['HandsOff', 'OtherAutoscaler']);

const reasonBefore = (state: PoolState, condition: ConditionType): string | undefined =>
  state.pool.status?.conditions?.find(({ type }) => type === condition)?.reason;

function anotherWriter({ state, held }: EventsInput): PoolEvent | undefined {
  if (held === undefined || !ANOTHER_WRITER.has(held.reason)) return undefined;
  if (reasonBefore(state, 'ScalingActive') === held.reason) return undefined;
  return { type: 'Warning', reason: held.reason, action: 'Scale', note: held.message };
}

function stalling({ state, stalled }: EventsInput): PoolEvent | undefined {
  if (stalled === undefined || reasonBefore(state, 'Stalled') === stalled.reason) return undefined;
  return { type: 'Warning', reason: stalled.reason, action: 'Reconcile', note: stalled.message };
}
