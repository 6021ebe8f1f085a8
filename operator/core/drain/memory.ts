import type { Millis } from '../known.ts';
import { CORDON_SECONDS } from './proof.ts';
import type { Cordon, DrainMemory } from './view.ts';

/** What became of a call to a replica. `absent`: it has no such call, or nobody may use it. */
export type CordonOutcome =
  | Readonly<{ kind: 'cordoned'; processStart: string; sentAt: Millis; answeredAt: Millis }>
  | Readonly<{ kind: 'absent'; because: string }>
  /** `unauthorized`: it does not know the token. */
  | Readonly<{ kind: 'failed'; because: string; unauthorized?: true }>;

/** The memory after a replica was told to take no new job. */
export function afterCordon(
  memory: DrainMemory,
  { uid, template }: Readonly<{ uid: string; template: string }>,
  outcome: CordonOutcome,
): DrainMemory {
  if (outcome.kind !== 'cordoned') {
    return outcome.kind === 'absent' ? { ...memory, absent: { template, because: outcome.because } } : memory;
  }
  const { absent, ...rest } = memory;
  const others = absent === undefined || absent.template === template ? {} : { absent };
  const { processStart, sentAt, answeredAt } = outcome;
  const before = memory.cordons[uid];
  // Only a call that was answered before the last lease ended is known to have prolonged it.
  const prolonged = before !== undefined && before.processStart === processStart && answeredAt < before.until;
  const until = sentAt + CORDON_SECONDS * 1000;
  const cordon: Cordon = prolonged ? { ...before, until } : { processStart, since: sentAt, until };
  return { ...rest, ...others, cordons: { ...memory.cordons, [uid]: cordon } };
}
