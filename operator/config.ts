import { z } from 'zod';

const number = (what: string, { least, most }: Readonly<{ least: number; most: number }>) => {
  const error = `must be ${what} from ${least} to ${most}`;
  return z.coerce.number({ error }).min(least, { error }).max(most, { error });
};

const whole = (least: number, most: number) => {
  const error = `must be a whole number from ${least} to ${most}`;
  return number('a whole number', { least, most }).int({ error });
};

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

const environment = z.object({
  /** Name of the pod; the identity of the lease's holder. */
  POD_NAME: z.string().min(1),
  POD_NAMESPACE: z.string().min(1),
  /** Port of `/healthz`, `/readyz` and `/metrics`. */
  PORT: whole(0, 65_535).default(8080),
  LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
  LEASE_NAME: z.string().min(1).default('agent-worker-pool'),
  LEASE_DURATION_SECONDS: number('a number of seconds', { least: 2, most: 3600 })
    .default(15)
    .transform((value) => value * 1000),
  /** Pools that are looked after at a time. */
  CONCURRENT_PASSES: whole(1, 256).default(16),
});

export type Config = Readonly<z.output<typeof environment>>;

/** The environment is not fit to start with. Lists every problem, each with the variable's name. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the environment is not fit to start with:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Reads the whole environment once. An empty variable counts as absent. Throws `ConfigError`. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environment.safeParse(present);
  if (parsed.success) return Object.freeze(parsed.data);
  throw new ConfigError(
    parsed.error.issues.map(({ path, message }) => {
      const name = path.join('.');
      return name in present ? `${name}: ${message}` : `${name}: is required but not set`;
    }),
  );
}
