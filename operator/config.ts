import { z } from 'zod';

const number = (what: string, { least, most }: Readonly<{ least: number; most: number }>) => {
  const error = `must be ${what} from ${least} to ${most}`;
  return z.coerce.number({ error }).min(least, { error }).max(most, { error });
};

const whole = (least: number, most: number) => {
  const error = `must be a whole number from ${least} to ${most}`;
  return number('a whole number', { least, most }).int({ error });
};

/** A DNS label, as the API server wants it. */
const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const MOST_NAMESPACES = 100;

/** `a, b` -> the names, each once. */
const namespaces = z.string().transform((text, context) => {
  const names = [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '');
  const wrong = names.find((name) => !NAMESPACE.test(name));
  const problem = (message: string) => context.addIssue({ code: 'custom', message });
  if (wrong !== undefined) problem(`must be names of namespaces with commas between them; "${wrong}" is none`);
  if (names.length > MOST_NAMESPACES) {
    problem(`must be at most ${MOST_NAMESPACES} namespaces, each is three watches; leave it out to watch all`);
  }
  return Object.freeze(names);
});

const LABEL_KEY = '([a-z0-9.-]+/)?[A-Za-z0-9][\\w.-]*';
const LABEL_VALUES = String.raw`\(\s*[\w.-]+(\s*,\s*[\w.-]+)*\s*\)`;
const REQUIREMENT = String.raw`\s*(!?${LABEL_KEY}|${LABEL_KEY}\s*(=|==|!=)\s*[\w.-]*|${LABEL_KEY}\s+(in|notin)\s+${LABEL_VALUES})\s*`;
/** kubernetes.io/docs/concepts/overview/working-with-objects/labels: equality-based and set-based requirements. */
const SELECTOR = new RegExp(`^${REQUIREMENT}(,${REQUIREMENT})*$`);

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

const WAYS_TO_REPLICAS = ['PodAddress', 'PodProxy'] as const;

const environment = z.object({
  /** Name of the pod; the identity of the lease's holder. */
  POD_NAME: z.string().min(1),
  POD_NAMESPACE: z.string().min(1),
  /** Port of `/healthz`, `/readyz` and `/metrics`. */
  PORT: whole(0, 65_535).default(8080),
  LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
  /** The Lease that leader and standby share, in POD_NAMESPACE. Operators with different pools need different ones. */
  LEASE_NAME: z.string().min(1).optional(),
  LEASE_DURATION_SECONDS: number('a number of seconds', { least: 2, most: 3600 })
    .default(15)
    .transform((value) => value * 1000),
  /** Under which account it runs, and which ClusterRole lets it read Secrets: for the command that it advises. */
  SERVICE_ACCOUNT: z.string().min(1).default('agent-worker-pool'),
  SECRETS_ROLE: z.string().min(1).default('agent-worker-pool-secrets'),
  /** Pools that are looked after at a time. */
  CONCURRENT_PASSES: whole(1, 256).default(32),
  /** Calls to the API server a second, over time; watches and the lease are not counted. */
  KUBE_API_QPS: number('a number', { least: 1, most: 1000 }).default(200),
  /** Calls that may be made at once after a pause. */
  KUBE_API_BURST: whole(1, 2000).default(500),
  /** By which way replicas are asked for their health. PodProxy: through the API server, where pods have no address. */
  REPLICA_HEALTH_THROUGH: z
    .enum(WAYS_TO_REPLICAS, { error: `must be one of ${WAYS_TO_REPLICAS.join(', ')}` })
    .default('PodAddress'),
  /** The only namespaces that are looked at; empty: all. */
  WATCH_NAMESPACES: namespaces.default([]),
  /** Label selector: the pools that this operator looks after, where several share them. */
  POOL_SELECTOR: z
    .string()
    .max(1024)
    .regex(SELECTOR, { error: 'must be a label selector such as shard=a or shard in (a, b)' })
    .optional(),
});

type Environment = z.output<typeof environment>;
export type Config = Readonly<Environment & { LEASE_NAME: string }>;

const LEASE_NAME = 'agent-worker-pool';
/** With one lease for all of them, an operator would stand by for pools that the leader does not look at. */
const LEASE_OF_A_SHARD =
  'LEASE_NAME: is required with POOL_SELECTOR: operators with different pools need different leases';

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
  const problems = (parsed.error?.issues ?? []).map(({ path, message }) => {
    const name = path.join('.');
    return name in present ? `${name}: ${message}` : `${name}: is required but not set`;
  });
  if ('POOL_SELECTOR' in present && !('LEASE_NAME' in present)) problems.push(LEASE_OF_A_SHARD);
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return Object.freeze({ ...parsed.data, LEASE_NAME: parsed.data.LEASE_NAME ?? LEASE_NAME });
}
