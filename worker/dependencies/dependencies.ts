import type { Log } from '../log.ts';
import type { FetchGate } from '../queue/fetch-gate.ts';
import type { WorkerTiming } from '../timing.ts';
import { reportDependency } from './check.ts';
import type { CheckResult, DependencyMode, DependencyReport, TimedCheck } from './check.ts';

/** Something that the jobs cannot do without, beside Redis. */
export type Dependency = Readonly<{
  /** As in sentences: `Supabase`. */
  title: string;
  mode: DependencyMode;
  /** Never rejects, and ends within the limit. */
  check: (limitMs: number) => Promise<CheckResult>;
  /** Gives back what it keeps between two checks. */
  close?: () => void;
}>;

type Parts = Readonly<{
  gate: FetchGate;
  log: Log;
  timing: Pick<WorkerTiming, 'checkEveryMs' | 'checkAgainMs' | 'checkMs'>;
  random?: () => number;
}>;

/**
 * Checks what the jobs depend on, for as long as the worker runs, and holds the replica while a required one is out: a
 * job that starts then would only spend an attempt. Until the first answer it is held too.
 */
export class Dependencies {
  readonly #watched: readonly Dependency[];
  readonly #parts: Parts;
  readonly #last = new Map<Dependency, TimedCheck>();
  readonly #timers = new Map<Dependency, NodeJS.Timeout>();
  #stopped = false;

  constructor(dependencies: readonly Dependency[], parts: Parts) {
    this.#watched = dependencies.filter(({ mode }) => mode !== 'Off');
    this.#parts = parts;
  }

  /** What the last check said, at most some seconds old. */
  report(title: string): DependencyReport | undefined {
    const dependency = this.#watched.find((watched) => watched.title === title);
    return dependency && reportDependency(dependency.mode, this.#last.get(dependency));
  }

  /** Returns at once; the first answers hold or release the replica when they come. */
  start(): void {
    void this.#holdOrRelease();
    for (const dependency of this.#watched) void this.#check(dependency);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    for (const { close } of this.#watched) close?.();
  }

  async #check(dependency: Dependency): Promise<void> {
    const { timing, random = Math.random } = this.#parts;
    const result = await dependency.check(timing.checkMs);
    if (this.#stopped) return;
    this.#say(dependency, result);
    this.#last.set(dependency, { result, at: Date.now() });
    void this.#holdOrRelease();
    // Spread, or all replicas of a deployment ask in the same moment for ever.
    const everyMs = result.ok ? timing.checkEveryMs * (0.7 + 0.3 * random()) : timing.checkAgainMs * (0.5 + random());
    const timer = setTimeout(() => void this.#check(dependency), everyMs);
    timer.unref();
    this.#timers.set(dependency, timer);
  }

  #holdOrRelease(): Promise<void> {
    const { gate } = this.#parts;
    const out = this.#watched.filter(({ mode }) => mode === 'Required').flatMap((each) => this.#hindrance(each) ?? []);
    return out.length > 0 ? gate.hold('held', out.join('; ')) : gate.release('held');
  }

  #hindrance(dependency: Dependency): string | undefined {
    const result = this.#last.get(dependency)?.result;
    if (!result) return `${dependency.title} is not checked yet`;
    return !result.ok && result.kind === 'Outage' ? result.because : undefined;
  }

  /** Once for each change: an outage repeats the same every second. */
  #say(dependency: Dependency, result: CheckResult): void {
    const { log } = this.#parts;
    const before = this.#last.get(dependency)?.result;
    const said = before && (before.ok ? '' : before.because);
    if (!result.ok && result.because !== said) {
      log.warn(
        { because: result.because, kind: result.kind, mode: dependency.mode },
        `${dependency.title} is not well`,
      );
    }
    if (result.ok && before?.ok === false) log.info(`${dependency.title} is well again`);
  }
}
