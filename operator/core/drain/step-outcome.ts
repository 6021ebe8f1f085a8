import type { Millis } from '../known.ts';
import type { DrainStep } from './steps.ts';
import type { DrainMemory, DrainReplica, StepFailure } from './view.ts';

type Step = Readonly<{ kind: DrainStep['kind']; uid: string }>;

/** Two kinds of steps of one replica can fail in one pass. */
const keyOf = ({ kind, uid }: Step): string => `${kind} ${uid}`;

const OPPOSITE: Readonly<Partial<Record<DrainStep['kind'], DrainStep['kind']>>> = {
  cordon: 'uncordon',
  uncordon: 'cordon',
  mark: 'unmark',
  unmark: 'mark',
};

/** 1, 2, 4 ... 15 s: a cordon that cannot be renewed is tried four times while its proof still holds. */
const FIRST_PAUSE_MS: Millis = 1_000;
const LONGEST_PAUSE_MS: Millis = 15_000;
/** Whatever was tried again all the time has failed again by then. */
const FORGOTTEN_AFTER_MS: Millis = 60_000;

export const failureOf = ({ failures }: DrainMemory, step: Step): StepFailure | undefined => failures[keyOf(step)];

/** Whether the step may be tried now: not while it pauses after a failure. */
export function isDue(memory: DrainMemory, step: Step, now: Millis): boolean {
  const failure = failureOf(memory, step);
  if (failure === undefined) return true;
  return now >= failure.at + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failure.times - 1));
}

/** The memory after a step was carried out. Only then is a replica that is wanted again counted as given back. */
export function afterSuccess(memory: DrainMemory, step: DrainStep): DrainMemory {
  const { [keyOf(step)]: _own, ...failures } = withoutOpposite(memory, step);
  const isReversal = step.kind === 'uncordon' && step.because === 'wanted';
  return { ...memory, failures, reversed: isReversal ? [...memory.reversed, step.name] : memory.reversed };
}

/** The memory after a step that failed, at `at`. */
export function afterFailure(
  memory: DrainMemory,
  step: Step,
  { because, at }: Readonly<{ because: string; at: Millis }>,
): DrainMemory {
  const times = (failureOf(memory, step)?.times ?? 0) + 1;
  return { ...memory, failures: { ...withoutOpposite(memory, step), [keyOf(step)]: { because, at, times } } };
}

/** What was to be undone is not tried any more: when it is again, at once. */
function withoutOpposite({ failures }: DrainMemory, { kind, uid }: Step): DrainMemory['failures'] {
  const opposite = OPPOSITE[kind];
  if (opposite === undefined) return failures;
  const { [keyOf({ kind: opposite, uid })]: _opposite, ...rest } = failures;
  return rest;
}

/** Of replicas that are there, and of steps that were tried a short time ago. */
export function recentFailures(
  { failures }: DrainMemory,
  { replicas, now }: Readonly<{ replicas: readonly DrainReplica[]; now: Millis }>,
): DrainMemory['failures'] {
  const there = new Set(replicas.map(({ uid }) => uid));
  return Object.fromEntries(
    Object.entries(failures).filter(
      ([key, { at }]) => there.has(key.slice(key.indexOf(' ') + 1)) && now - at < FORGOTTEN_AFTER_MS,
    ),
  );
}
