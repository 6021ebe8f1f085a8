/** Resolves after `ms` milliseconds, or rejects with the signal's reason as soon as it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(asError(signal.reason));
    const abort = () => {
      clearTimeout(timer);
      reject(asError(signal?.reason));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, clampDelay(ms));
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** setTimeout fires at once for more than 2^31-1 ms; this keeps a delay in its range. */
export const clampDelay = (ms: number): number => Math.min(Math.max(0, ms), 2_147_483_647);

/** An abort's reason as an Error, whatever was thrown in. */
export const asError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error(typeof reason === 'string' ? reason : 'aborted', { cause: reason });

/** A promise with its handles outside, for the places where an event ends a wait. */
export type Deferred<T> = Readonly<{ promise: Promise<T>; resolve(value: T): void; reject(error: Error): void }>;

export function deferred<T = void>(): Deferred<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  return { promise, resolve, reject };
}

/** `work`'s outcome, or the signal's reason if it is aborted first; the work itself goes on. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(asError(signal.reason));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** `work`'s outcome, or undefined if it takes longer than `ms`; the work itself goes on. */
export async function settledWithin<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), clampDelay(ms));
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A signal that follows `parents` and a time limit (ms), with a `dispose` that must be called when the work is over:
 * the listeners on a parent that lives as long as the process would otherwise pile up.
 */
export function linkedSignal(
  parents: readonly (AbortSignal | undefined)[],
  limit?: Readonly<{ ms: number; message: string }>,
): Readonly<{
  signal: AbortSignal;
  abort(reason: Error): void;
  dispose(): void;
  clearLimit(): void;
  timedOut(): boolean;
}> {
  const controller = new AbortController();
  let timedOut = false;
  let timer: NodeJS.Timeout | undefined;
  const undo: (() => void)[] = [];
  for (const parent of parents) {
    if (!parent) continue;
    if (parent.aborted) controller.abort(parent.reason);
    const follow = () => controller.abort(parent.reason);
    parent.addEventListener('abort', follow, { once: true });
    undo.push(() => parent.removeEventListener('abort', follow));
  }
  if (limit) {
    timer = setTimeout(() => {
      timedOut = true;
      controller.abort(new Error(limit.message));
    }, clampDelay(limit.ms));
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    clearLimit: () => clearTimeout(timer),
    dispose() {
      clearTimeout(timer);
      for (const run of undo) run();
    },
    timedOut: () => timedOut,
  };
}
