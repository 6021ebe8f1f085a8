import type { Millis } from '../known.ts';
import { type HpaInput, type HpaMemory, syncHpa } from './hpa.ts';

/** Defaults of a ScaledObject: `pollingInterval` and `cooldownPeriod`, which counts only on the way to zero. */
const POLL_MS: Millis = 30_000;
const COOLDOWN_MS: Millis = 300_000;

export type KedaMemory = Readonly<{
  hpa: HpaMemory;
  polledAt?: Millis;
  /** When a poll last found the trigger active. */
  activeAt?: Millis;
}>;

export const FIRST_KEDA_MEMORY: KedaMemory = { hpa: [] };

/**
 * One sync, every 15 s, of the HPA that KEDA makes for a ScaledObject, and at every other one a poll of KEDA itself,
 * which alone goes from zero (to one) and, when the trigger was inactive for the cooldown, back to zero
 * (`pkg/scaling/executor/scale_scaledobjects.go`).
 */
export function stepKeda(memory: KedaMemory, input: HpaInput): Readonly<{ replicas: number; memory: KedaMemory }> {
  const polls = memory.polledAt === undefined || input.now - memory.polledAt >= POLL_MS;
  const polled = polls ? poll(memory, input) : { replicas: input.current, memory };
  if (polled.replicas !== input.current) return { ...polled, memory: { ...polled.memory, hpa: [] } };
  const synced = syncHpa(memory.hpa, input);
  return { replicas: synced.replicas, memory: { ...polled.memory, hpa: synced.memory } };
}

function poll(memory: KedaMemory, input: HpaInput): Readonly<{ replicas: number; memory: KedaMemory }> {
  const { now, current, minReplicas, metric } = input;
  const polled = { ...memory, polledAt: now };
  const floor = Math.max(1, minReplicas);
  if (metric > 0) return { replicas: current === 0 ? floor : current, memory: { ...polled, activeAt: now } };
  if (minReplicas > 0) return { replicas: Math.max(current, minReplicas), memory: polled };
  const cooled = memory.activeAt === undefined || now - memory.activeAt > COOLDOWN_MS;
  return { replicas: cooled ? 0 : current, memory: polled };
}
