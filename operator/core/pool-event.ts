/** One line of `kubectl describe`. `reason` and `action` are CamelCase. */
export type PoolEvent = Readonly<{ type: 'Normal' | 'Warning'; reason: string; action: string; note: string }>;
