import { AsyncLocalStorage } from 'node:async_hooks';
import { type Logger, messageOf } from '../kube/log.ts';
import type { ResourceType } from '../kube/resources.ts';
import { unlessAborted } from '../kube/wait.ts';
import { compareVersions } from '../kube/versions.ts';
import type { Written } from '../kube/writer.ts';

/** The part of a reflector that tells how far it has come. */
export type Progress = Readonly<{
  type: ResourceType;
  waitFor(
    version: Readonly<{ namespace: string; resourceVersion: string }>,
    limit: Readonly<{ timeoutMs: number; signal?: AbortSignal }>,
  ): Promise<boolean>;
  refresh(): Promise<void>;
}>;

export type OwnWrites = Readonly<{
  /** Give it to the client as `onWritten`. Writes outside of a pass are not remembered. */
  onWritten(written: Written): void;
  /** Says where writes of the reflector's type will be seen. */
  watch(reflector: Progress): void;
  /** Runs a pass, so that what it writes is remembered under `key`. */
  during<T>(key: string, pass: () => Promise<T>): Promise<T>;
  /** Resolves when the stores show all that the last pass of `key` wrote. */
  caughtUp(key: string, signal: AbortSignal): Promise<void>;
}>;

/**
 * Reading one's own writes: a pass never acts on a store that is older than the last write of the same key. A store
 * that does not show a write within `timeoutMs` is read again as a whole; if that fails too, the pass fails.
 */
export function createOwnWrites(options: Readonly<{ log: Logger; timeoutMs?: number }>): OwnWrites {
  const { log, timeoutMs = 5_000 } = options;
  const passKey = new AsyncLocalStorage<string>();
  const reflectors = new Map<string, Progress>();
  const pending = new Map<string, Map<string, Written>>();

  async function wait(written: Written, signal: AbortSignal): Promise<void> {
    const reflector = reflectors.get(typeKey(written.type));
    if (!reflector || (await reflector.waitFor(written, { timeoutMs, signal }))) return;
    log.warn({ ...written, type: written.type.plural }, 'a write is not seen by the watch; reading everything again');
    await unlessAborted(reflector.refresh(), signal);
  }

  return {
    onWritten(written) {
      const key = passKey.getStore();
      if (key === undefined || !reflectors.has(typeKey(written.type))) return;
      const writes = pending.get(key) ?? new Map<string, Written>();
      pending.set(key, writes);
      const scope = `${typeKey(written.type)} ${written.namespace}`;
      const known = writes.get(scope);
      const isOlder = known && (compareVersions(written.resourceVersion, known.resourceVersion) ?? 1) < 0;
      if (!isOlder) writes.set(scope, written);
    },
    watch: (reflector) => void reflectors.set(typeKey(reflector.type), reflector),
    during: (key, pass) => passKey.run(key, pass),
    async caughtUp(key, signal) {
      const writes = pending.get(key);
      if (!writes) return;
      try {
        await Promise.all([...writes.values()].map((written) => wait(written, signal)));
      } catch (error) {
        throw new Error(`the last write cannot be read back: ${messageOf(error)}`, { cause: error });
      }
      pending.delete(key);
    },
  };
}

const typeKey = (type: ResourceType): string => `${type.group}/${type.plural}`;
