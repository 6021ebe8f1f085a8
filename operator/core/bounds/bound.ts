import type { Because, DecisionReason } from '../because.ts';
import type { Millis } from '../known.ts';
import type { DeploymentView, PoolState, QueueSnapshot } from '../state.ts';
import type { WantedEntry } from '../window.ts';

/** `canary`: where there is no replica, one may start all the same. `mayLower`: only adding is frozen. */
export type Freeze = Readonly<{ reason: DecisionReason; because: string; canary: boolean; mayLower: boolean }>;

/** What every rule may look at. */
export type BoundContext = Readonly<{
  state: PoolState;
  queue: QueueSnapshot;
  deployment: DeploymentView | null;
  /** Replicas that there are. */
  current: number;
  /** Why the number may not follow the queue now, for the sake of the replicas' health. */
  freeze?: Freeze;
  /** Numbers of the last window, this look's included. */
  window: readonly WantedEntry[];
}>;

/** What a rule says of a number that it does not let pass: the number instead, and its half of the sentence. */
export type Binding = Readonly<{
  to: number;
  reason: DecisionReason;
  clause: string;
  /** When the rule can say something else although nothing else changes. */
  changesAt?: Millis;
}>;

/** A rule is a pure question about one number; undefined: it has nothing against it. */
export type Rule = (replicas: number, context: BoundContext) => Binding | undefined;

/** A rule that had its say, in the order in which the rules were asked. */
export type Bound = Readonly<{ from: number }> & Binding;

/** A number on its way through the rules, and those that bound it so far. */
export type Bounded = Readonly<{ replicas: number; bounds: readonly Bound[] }>;

/** Asks the rules one after the other; each is told the number that those before it have left. */
export const applyRules = (before: Bounded, rules: readonly Rule[], context: BoundContext): Bounded =>
  rules.reduce<Bounded>(({ replicas, bounds }, rule) => {
    const binding = rule(replicas, context);
    if (binding === undefined) return { replicas, bounds };
    return { replicas: binding.to, bounds: [...bounds, { from: replicas, ...binding }] };
  }, before);

/** The arithmetic, then each rule that bound the number; the last of them is the reason. */
export const becauseOf = (base: Because, bounds: readonly Bound[]): Because => ({
  reason: bounds.at(-1)?.reason ?? base.reason,
  message: [base.message, ...bounds.map(({ clause }) => clause)].join('; '),
});

/** The moments at which one of the rules can say something else. */
export const changesOf = (bounds: readonly Bound[]): readonly Millis[] =>
  bounds.flatMap(({ changesAt }) => (changesAt === undefined ? [] : [changesAt]));
