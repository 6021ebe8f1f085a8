/**
 * Catches SIGTERM and SIGINT from the moment that this module is evaluated, so it is the first import of `main.ts`.
 * A process with pid 1, as in a container, ignores both as long as nobody listens: a signal that came while the other
 * modules load would be lost, and the pod would stand until its whole grace period is over.
 */
const stop = new AbortController();

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    // Whoever signals twice does not want to wait for the jobs that run.
    if (stop.signal.aborted) process.exit(1);
    stop.abort(signal);
  });
}

/** Aborts with the signal's name as its reason when the process is asked to stop. */
export const stopRequested: AbortSignal = stop.signal;
