import type { Millis } from '../known.ts';
import type { Rule } from './bound.ts';
import type { Raise, ScaleMemory } from '../scale-memory.ts';
import type { PoolState } from '../state.ts';

const MINUTE_MS: Millis = 60_000;

const recentRaises = (raises: readonly Raise[], now: Millis): readonly Raise[] =>
  raises.filter(({ at }) => at > now - MINUTE_MS);

/** Kubernetes keeps in whole seconds when a pod was made. */
const PRECISION_MS: Millis = 1000;

/** What was added before this leader came, of which only the replicas tell: each of them counts as one that was added. */
function addedBefore({ replicas, memory, now }: PoolState): readonly Raise[] {
  if (!replicas.ok) return [];
  const made = replicas.value.map(({ createdAt }) => createdAt).filter((at) => at < memory.watchingSince);
  return recentRaises(
    made.map((at) => ({ at: at + PRECISION_MS, by: 1 })),
    now,
  );
}

/** What was added within any minute is at most `scaleUp.maxPerMinute`, whichever rule asks for it; 0 is no limit. */
const maxPerMinute: Rule = (replicas, { state, current }) => {
  const { scaleUpMaxPerMinute: limit } = state.pool.spec.scaling;
  if (limit === 0 || replicas <= current) return undefined;
  const recent = [...addedBefore(state), ...recentRaises(state.memory.raises, state.now)];
  const added = recent.reduce((sum, { by }) => sum + by, 0);
  const to = current + Math.max(0, limit - added);
  if (replicas <= to) return undefined;
  const first = Math.min(state.now, ...recent.map(({ at }) => at));
  const clause = `${to} for now because scaleUp.maxPerMinute is ${limit}`;
  return { to, reason: 'HeldToScaleUpLimit', clause, changesAt: first + MINUTE_MS };
};

/** How fast the pool may grow towards what it is steered to. */
export const paceRules: readonly Rule[] = [maxPerMinute];

/** The raises to remember when the number goes from `from` to `to`. */
export function rememberRaise(
  { raises }: Pick<ScaleMemory, 'raises'>,
  raise: Readonly<{ now: Millis; from: number; to: number }>,
): readonly Raise[] {
  const recent = recentRaises(raises, raise.now);
  return raise.to > raise.from ? [...recent, { at: raise.now, by: raise.to - raise.from }] : recent;
}
