import { z } from 'zod';
import { durationBetween, int32, objectName, secretKeyRef } from './fields.ts';
import { health, restarts } from './health.ts';
import { celString, type Rule, withRules } from './rules.ts';
import { CRON_FIX, CRON_PATTERN, isTimeZone, problemOfCron } from './schedule.ts';
import { poolStatus } from './status.ts';
import { podTemplate } from './template.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 86_400 * SECOND;

/** The ReplicaSet's name is the pool's, a dash and a hash of ten: 63 characters, what a host name or label holds. */
const NAME_MAX_LENGTH = 52;

/** A part of the keys in Redis: what nobody sees would make two queues of one. */
const visible = (field: string): Rule<string> => ({
  cel: `!self.matches(${celString('^[\\p{Z}\\x{FEFF}]|[\\p{Z}\\x{FEFF}]$|\\p{Cc}')})`,
  holds: (text) => !/^[\p{Z}\uFEFF]|[\p{Z}\uFEFF]$|\p{Cc}/u.test(text),
  message: `a queue's ${field} neither begins nor ends with a space and has no control character: remove it`,
});

const queueName = withRules(z.string().min(1).max(253), [
  visible('name'),
  {
    cel: "!self.contains(':')",
    holds: (name) => !name.includes(':'),
    message: 'a BullMQ queue name has no ":": put what stands before it into spec.queue.prefix',
  },
]);

const queue = z.object({
  name: queueName.describe('Name of the BullMQ queue.'),
  prefix: withRules(z.string().min(1).max(253), [visible('prefix')])
    .default('bull')
    .describe("Prefix of the queue's keys in Redis."),
  redis: z
    .object({
      url: z
        .object({ secretKeyRef: secretKeyRef.describe('The key of a Secret that holds the URL.') })
        .describe('A redis:// or rediss:// URL in a Secret. Workers get it as REDIS_URL.'),
    })
    .describe('The Redis that holds the queue.'),
  commandsPerMinute: int32(10, 60_000)
    .default(120)
    .describe('Redis commands that the operator may send for this pool in a minute; over it, numbers are read later.'),
});

const workers = z.object({
  concurrency: int32(1, 1000)
    .default(25)
    .describe('Jobs that a replica runs at a time. Workers get it as JOB_CONCURRENCY.'),
  deploymentName: objectName()
    .max(NAME_MAX_LENGTH)
    .describe('In mode Recommend: a Deployment of others to look at, of which nothing is ever changed.')
    .exactOptional(),
  template: podTemplate.describe(
    'Pod template of the workers. Its container worker runs the jobs; the operator adds what it needs.',
  ),
});

const PROMETHEUS_URL = String.raw`^https?://[^\s/?#@]+(/[^\s?#]*)?$`;

const prometheus = z.object({
  url: withRules(z.string().min(1).max(2048), [
    {
      cel: `self.matches(${celString(PROMETHEUS_URL)})`,
      holds: (url) => new RegExp(PROMETHEUS_URL).test(url) && URL.canParse(url),
      message:
        'not the address of a Prometheus server: write http:// or https://, host, port and path, ' +
        'without user, password or query (a token goes into a Secret: tokenSecretRef)',
    },
  ]).describe('Address of the server, as in http://prometheus.monitoring:9090.'),
  query: z
    .string()
    .min(1)
    .max(4096)
    .describe('PromQL that gives one number, how many jobs wait; left out, it is written for the queue.')
    .exactOptional(),
  tokenSecretRef: secretKeyRef.describe('Bearer token to ask the server with.').exactOptional(),
  caSecretRef: secretKeyRef.describe("Certificates (PEM) to trust in place of the system's.").exactOptional(),
});

const scaleUp = z.object({
  maxPerMinute: int32(0, 1000)
    .default(0)
    .describe('At most so many replicas are added within a minute; 0: no limit, up in one step.'),
});

const metrics = withRules(
  z.object({
    source: z
      .enum(['Workers', 'Prometheus', 'Redis'])
      .default('Workers')
      .describe('Where queue numbers come from: the metrics of the replicas, a Prometheus server, or Redis itself.'),
    prometheus: prometheus.describe('The server that says how many jobs wait.').exactOptional(),
  }),
  [
    {
      // The API server judges the default {} of this object before it fills in the defaults of the fields.
      cel: "!has(self.source) || self.source != 'Prometheus' || has(self.prometheus)",
      holds: ({ source, prometheus: server }) => source !== 'Prometheus' || server !== undefined,
      message: 'source Prometheus needs a server to ask: set spec.scaling.metrics.prometheus.url',
    },
  ],
);

const scaleDown = z.object({
  window: durationBetween('window', SECOND, DAY)
    .default('60s')
    .describe('Scale down to the most that was wanted in this time; never shorter than targetWait.'),
});

const cron = withRules(z.string().min(1).max(100), [
  {
    cel: `self.matches(${celString(`(?i)${CRON_PATTERN}`)})`,
    holds: (text) => problemOfCron(text) === undefined,
    message: `not a cron expression: ${CRON_FIX}`,
    celMessage: `"'" + self + "' is not a cron expression: " + ${celString(CRON_FIX)}`,
    explain: (text) => problemOfCron(text) ?? '',
  },
]);

/** The API server knows no time zones; the operator says it of a name that is none. */
const timeZone = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z][A-Za-z0-9_+/-]*$/)
  .refine(isTimeZone, {
    error: ({ input }) => `'${String(input)}' is no time zone: write its name in the IANA database, like Europe/Berlin`,
  });

const schedule = z.object({
  cron: cron.describe('When it begins: minute, hour, day of the month, month and day of the week.'),
  duration: durationBetween('duration', MINUTE, 7 * DAY).describe('How long it holds.'),
  timeZone: timeZone.default('UTC').describe('On whose clocks, by its name in the IANA database.'),
  minReplicas: int32(1, 1000).describe('Never fewer replicas than this while it holds; maxReplicas still bounds it.'),
});

const scaling = withRules(
  z.object({
    minReplicas: int32(0, 1000).default(0).describe('Never fewer replicas than this.'),
    maxReplicas: int32(1, 1000).default(20).describe('Never more replicas than this.'),
    targetWait: durationBetween('targetWait', SECOND, DAY)
      .default('30s')
      .describe('The longest that a job should wait before it starts: the knob of scaling.'),
    schedules: z
      .array(schedule)
      .max(20)
      .default([])
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .describe('Times with a higher floor: the greatest of those that hold counts.'),
    metrics: metrics.prefault({}).describe('What the sizes are worked out from.'),
    scaleUp: scaleUp.prefault({}).describe('How fast the pool gets bigger.'),
    scaleDown: scaleDown.prefault({}).describe('How fast the pool gets smaller.'),
  }),
  [
    {
      // The API server judges the default {} of this object before it fills in the defaults of the fields.
      cel: '!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas',
      holds: ({ minReplicas, maxReplicas }) => minReplicas <= maxReplicas,
      message: 'minReplicas must not be greater than maxReplicas: lower minReplicas or raise maxReplicas',
    },
  ],
);

const drain = z.object({
  timeout: durationBetween('timeout', 30 * SECOND, DAY)
    .default('15m')
    .describe('How long a running job may take to end before a replica goes, and after SIGTERM.'),
  onTimeout: z
    .enum(['Wait', 'Release'])
    .default('Wait')
    .describe('Wait: a replica that takes longer goes on until its jobs have ended. Release: it works again.'),
});

const spec = withRules(
  z.object({
    mode: z
      .enum(['Auto', 'Recommend', 'Paused'])
      .default('Auto')
      .describe(
        'Auto: the operator sizes the pool to its queue. Recommend: it says in the status what it would do, and changes ' +
          'nothing. Paused: it changes nothing. What runs goes on.',
      ),
    queue: queue.describe('The BullMQ queue that the workers take their jobs from.'),
    workers: workers.describe('What a replica is.'),
    scaling: scaling.prefault({}).describe('How many replicas there may be and how long a job should wait for one.'),
    health: health.prefault({}).describe('How replicas and what they depend on are checked.'),
    restarts: restarts.prefault({}).describe('What is done about a replica that has failed.'),
    drain: drain.prefault({}).describe('How a replica is taken away.'),
  }),
  [
    {
      cel: "!has(self.workers.deploymentName) || (has(self.mode) && self.mode == 'Recommend')",
      holds: ({ mode, workers }) => mode === 'Recommend' || workers.deploymentName === undefined,
      message:
        'workers.deploymentName is for mode Recommend only: remove it, in the other modes the pool has a Deployment of its own name',
    },
  ],
);

/** What the API server keeps about every object; its own schema rules there, so the CRD says nothing of it. */
const metadata = z.looseObject({
  name: z.string(),
  namespace: z.string(),
  uid: z.string(),
  generation: z.number(),
  resourceVersion: z.string(),
  creationTimestamp: z.string(),
  deletionTimestamp: z.string().exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
});

/** The one source of the types, the defaults, the validation and the CRD. */
export const poolResource = withRules(
  z.object({
    apiVersion: z.string().describe('Version of the schema of this object.').exactOptional(),
    kind: z.string().describe('Name of the schema of this object.').exactOptional(),
    metadata,
    spec: spec.describe('What the pool should be.'),
    status: poolStatus.describe('What the operator last saw and decided.').exactOptional(),
  }),
  [
    {
      cel: `size(self.metadata.name) <= ${NAME_MAX_LENGTH}`,
      holds: ({ metadata }) => metadata.name.length <= NAME_MAX_LENGTH,
      message:
        `metadata.name must be at most ${NAME_MAX_LENGTH} characters: ` +
        'the names of the Deployment and its pods are made from it',
    },
  ],
);

type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** The spec after defaults, as the API server stores it: durations are still text. */
export type PoolSpec = DeepReadonly<z.infer<typeof spec>>;
export type PoolStatus = DeepReadonly<z.infer<typeof poolStatus>>;
export type Condition = NonNullable<PoolStatus['conditions']>[number];
export type ConditionType = Condition['type'];
export type PodTemplate = DeepReadonly<z.infer<typeof podTemplate>>;

/** The resource as the API server gives it, defaults applied. */
export type AgentWorkerPool = DeepReadonly<z.infer<typeof poolResource>>;
