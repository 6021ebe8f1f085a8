import type { Because } from './because.ts';
import type { Millis } from './known.ts';
import { count, sayLength } from './sentence.ts';

export type SizingInput = Readonly<{
  /** Jobs that could start now, also while the queue is paused. */
  ready: number;
  paused: boolean;
  active: number;
  /** Slots of one replica. */
  slots: number;
  targetWaitMs: Millis;
  /** Mean duration of a job; unknown counts as at least the target. */
  meanDurationMs?: Millis;
  /** From created to Ready, last measured; matters while more is needed than has started. */
  coldStartMs?: Millis;
  /** Replicas that have started: what needs more than these has to wait for a start. */
  startedReplicas: number;
}>;

/** What the queue alone asks for, before any rule of the pool has its say. */
export type Sizing = Readonly<{ need: number; because: Because }>;

/**
 * `need = ceil((active + waiting · min(1, S / max(T − C, T/2))) / slots)`.
 * T is the wait target, S the mean duration, C the cold start. A job longer than T frees no slot in time, hence
 * min(1, …). More backlog never wants fewer.
 */
export function sizeToQueue(input: SizingInput): Sizing {
  const warm = slotsNeeded(input, 0);
  const withoutStart = Math.ceil(warm.slots / input.slots);
  const cold = withoutStart > input.startedReplicas ? slotsNeeded(input, input.coldStartMs ?? 0) : warm;
  const need = Math.ceil(cold.slots / input.slots);
  const arithmetic = sayArithmetic(input, { ...cold, need });
  if (input.paused && input.ready > 0) {
    return { need, because: { reason: 'QueuePaused', message: `the queue is paused: ${arithmetic}` } };
  }
  return { need, because: { reason: need === 0 ? 'QueueEmpty' : 'SizedToQueue', message: arithmetic } };
}

type Demand = Readonly<{ waiting: number; share: number; budgetMs: Millis; slots: number }>;

function slotsNeeded(input: SizingInput, coldStartMs: Millis): Demand {
  const waiting = input.paused ? 0 : input.ready;
  const budgetMs = Math.max(input.targetWaitMs - coldStartMs, input.targetWaitMs / 2);
  const share = input.meanDurationMs === undefined ? 1 : Math.min(1, input.meanDurationMs / budgetMs);
  // A hair is taken off before rounding up: 0.1 + 0.2 must not cost a replica.
  const slots = Math.max(0, Math.ceil(input.active + waiting * share - 1e-9));
  return { waiting, share, budgetMs, slots };
}

function sayArithmetic(input: SizingInput, demand: Demand & { need: number }): string {
  const { waiting, share, budgetMs, slots, need } = demand;
  const paused = input.paused && input.ready > 0 ? ` (${input.ready} more wait in the paused queue)` : '';
  if (slots === 0) return `nothing waits and nothing runs${paused}`;
  const frees =
    waiting > 0 && share < 1 && input.meanDurationMs !== undefined
      ? ` × ${sayLength(input.meanDurationMs)} / ${sayLength(budgetMs)}`
      : '';
  const tooSlow =
    input.coldStartMs !== undefined && need > input.startedReplicas && input.coldStartMs > input.targetWaitMs / 2;
  const cure = tooSlow
    ? `; a replica takes ${sayLength(input.coldStartMs ?? 0)} to start, so the wait target of ${sayLength(input.targetWaitMs)} cannot be met from here: raise minReplicas`
    : '';
  return `${input.active} active + ${waiting} waiting${frees}${paused} = ${count(slots, 'slot')}; ${input.slots} a replica → ${need}${cure}`;
}
