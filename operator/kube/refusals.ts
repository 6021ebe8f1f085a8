import { createHash } from 'node:crypto';
import { isTerminalRefusal, type KubeError } from './errors.ts';

export type RefusalMemory = Readonly<{
  /** The refusal that this very body met, if it is remembered. */
  recall(key: string, body: unknown): KubeError | undefined;
  /** Remembers `error` for this body if it is a terminal refusal. */
  learn(key: string, body: unknown, error: unknown): void;
  forget(key: string): void;
}>;

const mostRefusals = 2_000;

/** A body's digest; of its version counts only whether it names one, since an object's status moves it all the time. */
function digestOf(body: unknown): string {
  const json = JSON.stringify(body, (name, value: unknown) =>
    name === 'resourceVersion' ? value !== undefined : value,
  );
  return createHash('sha256').update(json).digest('base64');
}

/**
 * Remembers terminal refusals, so that a body which the API server has refused is not sent again until it changes.
 * The memory lasts `ttlMs`: what was forbidden may have been granted since.
 */
export function createRefusalMemory(ttlMs: number, now: () => number = () => performance.now()): RefusalMemory {
  const refusals = new Map<string, { digest: string; error: KubeError; until: number }>();
  return {
    recall(key, body) {
      const refusal = refusals.get(key);
      if (!refusal) return undefined;
      if (refusal.until > now()) return refusal.digest === digestOf(body) ? refusal.error : undefined;
      refusals.delete(key);
      return undefined;
    },
    learn(key, body, error) {
      if (!isTerminalRefusal(error)) return;
      refusals.delete(key);
      refusals.set(key, { digest: digestOf(body), error, until: now() + ttlMs });
      const oldest = refusals.size > mostRefusals ? refusals.keys().next() : undefined;
      if (oldest && !oldest.done) refusals.delete(oldest.value);
    },
    forget: (key) => void refusals.delete(key),
  };
}
