import { isNotFound } from './errors.ts';
import { messageOf, silentLogger } from './log.ts';
import { createReflector, type Reflector, type ReflectorOptions } from './reflector.ts';
import type { Projected } from './store.ts';
import { linkedSignal, sleep } from './wait.ts';

export type OptionalReflectorOptions<T> = ReflectorOptions<T> & Readonly<{ lookEveryMs?: number }>;

const LOOK_EVERY_MS = 60_000;

/**
 * A reflector of a type that a cluster may not have: an API of others, whose definition can come and go at any time. Where
 * the API server does not serve it there is nothing, and one small request a minute asks whether it does by now.
 */
export class OptionalReflector<T extends Projected> {
  readonly #options: OptionalReflectorOptions<T>;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #reflector: Reflector<T> | undefined;

  constructor(options: OptionalReflectorOptions<T>) {
    this.#options = options;
  }

  /** Begins to look, and waits for nothing. */
  start(signal: AbortSignal): void {
    const link = linkedSignal([signal, this.#stopped.signal]);
    this.#running = this.#look(link.signal).finally(link.dispose);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the reflector was stopped'));
    await this.#running;
    await this.#reflector?.stop();
  }

  byIndex(index: string, value: string): readonly T[] {
    return this.#reflector?.store.byIndex(index, value) ?? [];
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { lookEveryMs = LOOK_EVERY_MS, log = silentLogger, type } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#follow(await this.#isServed(signal), signal);
      } catch (error) {
        // What was watched is watched on; what was not is looked for again.
        if (!signal.aborted) log.debug({ type: type.plural, because: messageOf(error) }, 'cannot see what is served');
      }
      await sleep(lookEveryMs, signal).catch(() => undefined);
    }
  }

  async #isServed(signal: AbortSignal): Promise<boolean> {
    const { transport, type } = this.#options;
    try {
      const path = `/apis/${type.group}/${type.version}`;
      const { resources } = await transport.request<{ resources?: readonly { name: string }[] }>({
        method: 'GET',
        path,
        signal,
      });
      return resources?.some(({ name }) => name === type.plural) === true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async #follow(served: boolean, signal: AbortSignal): Promise<void> {
    if (served === (this.#reflector !== undefined)) return;
    if (!served) {
      const gone = this.#reflector;
      this.#reflector = undefined;
      await gone?.stop();
      return;
    }
    this.#reflector = createReflector(this.#options);
    // It goes on by itself, and is only rejected when it is stopped before its first list.
    this.#reflector.start(signal).catch(() => undefined);
  }
}
