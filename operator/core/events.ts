import type { Because } from './because.ts';
import type { PoolEvent } from './decision.ts';
import type { PoolState } from './state.ts';

export type EventsInput = Readonly<{
  state: PoolState;
  because: Because;
  from: number;
  to: number;
  stalled?: Readonly<{ reason: string; message: string }>;
  /** Somebody else's number that this decision corrects, with its author. */
  corrected?: Readonly<{ manager: string; replicas: number }>;
  /** The Deployment existed and is gone. */
  recreated: boolean;
}>;

/** Events are for what changed, never for each pass: what was said in the status is not said again. */
export function eventsOf(input: EventsInput): readonly PoolEvent[] {
  const { state, because, from, to, stalled, corrected, recreated } = input;
  const events: PoolEvent[] = [];
  if (recreated) {
    events.push({
      type: 'Warning',
      reason: 'DeploymentRecreated',
      action: 'Apply',
      note: 'the Deployment was gone and is made again',
    });
  }
  if (corrected !== undefined) {
    const note = `${corrected.manager} set replicas to ${corrected.replicas}; corrected to ${to}: ${because.message}`;
    events.push({ type: 'Warning', reason: 'ReplicasCorrected', action: 'Scale', note });
  } else if (from !== to) {
    events.push({
      type: 'Normal',
      reason: 'Scaled',
      action: 'Scale',
      note: `Scaled ${from} → ${to}: ${because.message}`,
    });
  }
  if (stalled !== undefined && stalledBefore(state) !== stalled.reason) {
    events.push({ type: 'Warning', reason: stalled.reason, action: 'Reconcile', note: stalled.message });
  }
  return events;
}

const stalledBefore = (state: PoolState): string | undefined => {
  const condition = state.pool.status?.conditions?.find(({ type }) => type === 'Stalled');
  return condition?.status === 'True' ? condition.reason : undefined;
};
