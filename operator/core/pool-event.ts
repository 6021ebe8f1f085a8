/** One line of `kubectl describe`. `reason` and `action` are CamelCase. */
export type PoolEvent = Readonly<{ type: 'Normal' | 'Warning'; reason: string; action: string; note: string }>;

/** What a decision tells, by what makes it told once, however many passes come over the pool. */
export type PoolEvents = Readonly<{
  /** What was noticed, and stands in the decision's memory: to be told when that is kept. */
  noticed: readonly PoolEvent[];
  /** What the actions change: to be told when they are carried out. */
  carriedOut: readonly PoolEvent[];
  /** What the written status does not say yet: to be told when this one is written, and then only. */
  withStatus: readonly PoolEvent[];
}>;
