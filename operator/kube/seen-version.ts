import { compareVersions, hasReached } from './versions.ts';
import { asError, linkedSignal } from './wait.ts';

/** How far a watch has come, as a resource version, and who waits for it to come further. */
export class SeenVersion {
  private readonly waiters = new Set<() => void>();
  private latest: string | undefined;

  get(): string | undefined {
    return this.latest;
  }

  /** True when this version is older than what was seen: a watch may never go back. */
  isBehind(version: string): boolean {
    return this.latest !== undefined && (compareVersions(version, this.latest) ?? 0) < 0;
  }

  hasReached(version: string): boolean {
    return hasReached(this.latest, version);
  }

  advance(version: string): void {
    this.latest = version;
    for (const wake of this.waiters) wake();
    this.waiters.clear();
  }

  /** Waits until everything up to `version` has been seen; false when that took longer than the limit. */
  async waitFor(version: string, limit: Readonly<{ timeoutMs: number; signal?: AbortSignal }>): Promise<boolean> {
    const link = linkedSignal([limit.signal], { ms: limit.timeoutMs, message: 'not seen in time' });
    try {
      while (!this.hasReached(version)) await this.next(link.signal);
      return true;
    } catch (error) {
      if (limit.signal?.aborted) throw error;
      return false;
    } finally {
      link.dispose();
    }
  }

  private next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => () => {
        signal.removeEventListener('abort', abort);
        this.waiters.delete(wake);
        finish();
      };
      const wake = settle(resolve);
      const abort = settle(() => reject(asError(signal.reason)));
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort, { once: true });
      this.waiters.add(wake);
    });
  }
}
