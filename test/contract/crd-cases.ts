/** Pools that are wrong in one way each. The parser and the API server must refuse them with the same sentence. */
type Json = Record<string, unknown>;

const container = (change: Json = {}): Json => ({ name: 'worker', image: 'registry.local/worker:1', ...change });

/** A good spec, the least that a user must write, with parts of it replaced. */
export const specWith = (change: Json = {}): Json => ({
  queue: { name: 'jobs', redis: { url: { secretKeyRef: { name: 'jobs-env', key: 'REDIS_URL' } } } },
  workers: { template: { spec: { containers: [container()] } } },
  ...change,
});

const queueWith = (change: Json): Json => specWith({ queue: { ...(specWith()['queue'] as Json), ...change } });
const templateWith = (template: Json): Json => specWith({ workers: { template } });
const containersWith = (...containers: Json[]): Json => templateWith({ spec: { containers } });
const labelled = (metadata: Json): Json => templateWith({ metadata, spec: { containers: [container()] } });

export type BadPool = Readonly<{
  what: string;
  name?: string;
  spec: Json;
  /** Path of the field that is wrong, empty for the resource itself. */
  field: string;
  sentence: string;
}>;

const CONTAINERS = 'spec.workers.template.spec.containers';

const variableCases = (
  [
    ['JOB_QUEUE_NAME', 'use spec.queue.name'],
    ['JOB_QUEUE_PREFIX', 'use spec.queue.prefix'],
    ['JOB_CONCURRENCY', 'use spec.workers.concurrency'],
    ['REDIS_URL', 'use spec.queue.redis.url'],
    ['POD_NAME', 'remove it, the operator sets it to the name of the pod'],
    ['PORT', 'remove it, the operator sets it to the port that it scrapes'],
  ] as const
).map(
  ([variable, instead]): BadPool => ({
    what: `a worker container that sets ${variable}`,
    spec: containersWith({ name: 'side', image: 'i' }, container({ env: [{ name: variable, value: 'mine' }] })),
    field: `${CONTAINERS}[1]`,
    sentence: `container worker must not set ${variable}: ${instead}`,
  }),
);

const HOW = 'write a number and its unit without a space, like 30s, 15m, 1h or 1m30s';

const durationCases = (
  [
    ['5 minutes', `'5 minutes' is not a duration: write 5m`],
    ['2hours', `'2hours' is not a duration: write 2h`],
    ['30 sec', `'30 sec' is not a duration: write 30s`],
    ['30', `'30' is not a duration: ${HOW}`],
    ['1.5h', `'1.5h' is not a duration: ${HOW}`],
    ['-5m', `'-5m' is not a duration: ${HOW}`],
    ['PT5M', `'PT5M' is not a duration: ${HOW}`],
    ['1h 30m', `'1h 30m' is not a duration: ${HOW}`],
    [`it's`, `'it's' is not a duration: ${HOW}`],
    ['', `'' is not a duration: ${HOW}`],
    ['0s', 'targetWait must be between 1s and 24h'],
    ['999ms', 'targetWait must be between 1s and 24h'],
    ['24h1s', 'targetWait must be between 1s and 24h'],
    ['999999h', 'targetWait must be between 1s and 24h'],
  ] as const
).map(
  ([text, sentence]): BadPool => ({
    what: `a targetWait of '${text}'`,
    spec: specWith({ scaling: { targetWait: text } }),
    field: 'spec.scaling.targetWait',
    sentence,
  }),
);

const visibleCases = (
  [
    ['name', 'jobs '],
    ['name', '   '],
    ['name', '\u00a0jobs'],
    ['name', 'jobs\nmore'],
    ['name', 'jobs\u0000'],
    ['prefix', ' bull'],
    ['prefix', 'bull\u007f'],
  ] as const
).map(
  ([field, text]): BadPool => ({
    what: `a queue ${field} of ${JSON.stringify(text)}`,
    spec: queueWith({ [field]: text }),
    field: `spec.queue.${field}`,
    sentence: `a queue's ${field} neither begins nor ends with a space and has no control character: remove it`,
  }),
);

const scheduled = (change: Json): Json =>
  specWith({ scaling: { schedules: [{ cron: '0 8 * * 1-5', duration: '10h', minReplicas: 5, ...change }] } });

/** A good pool that a schedule of each kind that is allowed stands in. */
export const schedulesAllowed: readonly Json[] = [
  scheduled({}),
  specWith({
    mode: 'Recommend',
    workers: { ...(specWith()['workers'] as Json), deploymentName: 'old-workers' },
  }),
  scheduled({ cron: '*/15 8-18/2 1,15 jan-MAR Mon-fri', timeZone: 'America/Argentina/Buenos_Aires' }),
  scheduled({ cron: '0  0 29 2 7', duration: '168h', timeZone: 'Etc/GMT+3' }),
];

const CRON_HOW = 'write five fields (minute, hour, day of the month, month, day of the week), like 0 8 * * MON-FRI';

/** Refused by a rule of ours in the middle of a list. */
const refusedSchedules: readonly BadPool[] = ['0 25 * * *', '* * *', '@daily', '0 8 * * 1-5 2027', '0 8 L * *', 'at 8']
  .map((cron) => ({
    what: `a schedule at '${cron}'`,
    spec: scheduled({ cron }),
    field: 'spec.scaling.schedules[0].cron',
    sentence: `'${cron}' is not a cron expression: ${CRON_HOW}`,
  }))
  .concat({
    what: 'a schedule of half a minute',
    spec: scheduled({ duration: '30s' }),
    field: 'spec.scaling.schedules[0].duration',
    sentence: 'duration must be between 1m and 168h',
  });

/** Refused by the operator alone: the API server knows neither calendars nor time zones. */
export const refusedByOperator: readonly BadPool[] = [
  {
    what: 'a schedule on a day that no month has',
    spec: scheduled({ cron: '0 0 31 2 *' }),
    field: 'spec.scaling.schedules[0].cron',
    sentence: "'0 0 31 2 *' never comes: no month has that day",
  },
  {
    what: 'a schedule whose range goes backwards',
    spec: scheduled({ cron: '30-10 * * * *' }),
    field: 'spec.scaling.schedules[0].cron',
    sentence:
      "'30-10 * * * *' is not a cron expression: a range goes from the smaller number to the greater, and a step is not longer than its field",
  },
  {
    what: 'a schedule in a time zone that does not exist',
    spec: scheduled({ timeZone: 'Europe/Berln' }),
    field: 'spec.scaling.schedules[0].timeZone',
    sentence: "'Europe/Berln' is no time zone: write its name in the IANA database, like Europe/Berlin",
  },
];

/** Refused by a rule of ours: the same sentence from the API server and from the parser. */
export const refusedByRule: readonly BadPool[] = [
  {
    what: 'a name of 53 characters',
    name: 'n'.repeat(53),
    spec: specWith(),
    field: '',
    sentence: 'metadata.name must be at most 52 characters: the names of the Deployment and its pods are made from it',
  },
  {
    what: 'a queue name with a colon',
    spec: queueWith({ name: 'team:jobs' }),
    field: 'spec.queue.name',
    sentence: 'a BullMQ queue name has no ":": put what stands before it into spec.queue.prefix',
  },
  ...visibleCases,
  {
    what: 'a template without the container worker',
    spec: containersWith({ name: 'main', image: 'i' }),
    field: CONTAINERS,
    sentence:
      'one of the containers must have the name worker: it is the one that runs the jobs and that the operator configures',
  },
  ...variableCases,
  {
    what: "a label of the operator's on the pods",
    spec: labelled({ labels: { 'agentpool.dev/pool': 'other' } }),
    field: 'spec.workers.template.metadata.labels',
    sentence: 'labels under agentpool.dev/ belong to the operator: use a prefix of your own',
  },
  {
    what: "an annotation of the operator's on the pods",
    spec: labelled({ annotations: { 'agentpool.dev/rendering': '1' } }),
    field: 'spec.workers.template.metadata.annotations',
    sentence: 'annotations under agentpool.dev/ belong to the operator: use a prefix of your own',
  },
  {
    what: 'a minimum above the maximum',
    spec: specWith({ scaling: { minReplicas: 5, maxReplicas: 3 } }),
    field: 'spec.scaling',
    sentence: 'minReplicas must not be greater than maxReplicas: lower minReplicas or raise maxReplicas',
  },
  {
    what: 'a minimum above the default maximum',
    spec: specWith({ scaling: { minReplicas: 21 } }),
    field: 'spec.scaling',
    sentence: 'minReplicas must not be greater than maxReplicas: lower minReplicas or raise maxReplicas',
  },
  {
    what: 'a Deployment of others in mode Auto',
    spec: specWith({ workers: { ...(specWith()['workers'] as Json), deploymentName: 'old-workers' } }),
    field: 'spec',
    sentence:
      'workers.deploymentName is for mode Recommend only: remove it, in the other modes the pool has a Deployment of its own name',
  },
  ...durationCases,
  ...refusedSchedules,
  {
    what: "a scale-down window of '1 day'",
    spec: specWith({ scaling: { scaleDown: { window: '1 day' } } }),
    field: 'spec.scaling.scaleDown.window',
    sentence: `'1 day' is not a duration: ${HOW}`,
  },
  {
    what: 'a scale-down window of 25 hours',
    spec: specWith({ scaling: { scaleDown: { window: '25h' } } }),
    field: 'spec.scaling.scaleDown.window',
    sentence: 'window must be between 1s and 24h',
  },
  {
    what: 'Prometheus as the source without a server',
    spec: specWith({ scaling: { metrics: { source: 'Prometheus' } } }),
    field: 'spec.scaling.metrics',
    sentence: 'source Prometheus needs a server to ask: set spec.scaling.metrics.prometheus.url',
  },
  ...['http://user:password@prometheus:9090', 'prometheus:9090', 'http://prometheus:9090/?a=b'].map(
    (url): BadPool => ({
      what: `a Prometheus server at ${url}`,
      spec: specWith({ scaling: { metrics: { prometheus: { url } } } }),
      field: 'spec.scaling.metrics.prometheus.url',
      sentence:
        'not the address of a Prometheus server: write http:// or https://, host, port and path, ' +
        'without user, password or query (a token goes into a Secret: tokenSecretRef)',
    }),
  ),
  {
    what: 'a drain limit in which no worker could end its jobs',
    spec: specWith({ drain: { timeout: '5s' } }),
    field: 'spec.drain.timeout',
    sentence: 'timeout must be between 30s and 24h',
  },
  {
    what: 'a health check that takes longer than the time between two',
    spec: specWith({ health: { interval: '5s', timeout: '5s' } }),
    field: 'spec.health',
    sentence: 'timeout must be shorter than interval: shorten timeout or lengthen interval',
  },
  {
    what: 'retries that are given back before the longest wait is over',
    spec: specWith({ restarts: { backoff: { max: '20m' } } }),
    field: 'spec.restarts',
    sentence:
      'restarts.resetAfter must be longer than restarts.backoff.max: else a failing replica never runs out of retries',
  },
  {
    what: 'a first wait above the longest',
    spec: specWith({ restarts: { backoff: { base: '1m', max: '30s' } } }),
    field: 'spec.restarts.backoff',
    sentence: 'backoff.base must not be longer than backoff.max: shorten base or lengthen max',
  },
];

type SchemaCase = Omit<BadPool, 'sentence'>;

/** Refused by type, bound or list key: each side in its own words, about the same field. */
export const refusedBySchema: readonly SchemaCase[] = [
  { what: 'a mode that does not exist', spec: specWith({ mode: 'Manual' }), field: 'spec.mode' },
  { what: 'no queue', spec: { workers: specWith()['workers'] }, field: 'spec.queue' },
  { what: 'no workers', spec: { queue: specWith()['queue'] }, field: 'spec.workers' },
  { what: 'an empty queue name', spec: queueWith({ name: '' }), field: 'spec.queue.name' },
  { what: 'a queue name of 254 characters', spec: queueWith({ name: 'q'.repeat(254) }), field: 'spec.queue.name' },
  { what: 'an empty prefix', spec: queueWith({ prefix: '' }), field: 'spec.queue.prefix' },
  { what: 'no Redis', spec: specWith({ queue: { name: 'jobs' } }), field: 'spec.queue.redis' },
  {
    what: 'a Redis URL in the spec itself',
    spec: queueWith({ redis: { url: 'redis://:secret@redis:6379' } }),
    field: 'spec.queue.redis.url',
  },
  {
    what: 'a Secret name that no Secret can have',
    spec: queueWith({ redis: { url: { secretKeyRef: { name: 'My_Secret', key: 'k' } } } }),
    field: 'spec.queue.redis.url.secretKeyRef.name',
  },
  {
    what: 'a Secret key that no Secret can have',
    spec: queueWith({ redis: { url: { secretKeyRef: { name: 's', key: 'a/b' } } } }),
    field: 'spec.queue.redis.url.secretKeyRef.key',
  },
  {
    what: 'no slot',
    spec: specWith({ workers: { ...(specWith()['workers'] as Json), concurrency: 0 } }),
    field: 'spec.workers.concurrency',
  },
  {
    what: '1001 slots',
    spec: specWith({ workers: { ...(specWith()['workers'] as Json), concurrency: 1001 } }),
    field: 'spec.workers.concurrency',
  },
  { what: 'a template without a pod spec', spec: templateWith({}), field: 'spec.workers.template.spec' },
  { what: 'no container at all', spec: containersWith(), field: CONTAINERS },
  { what: 'a container without image', spec: containersWith({ name: 'worker' }), field: `${CONTAINERS}[0].image` },
  {
    what: 'a number as variable',
    spec: containersWith(container({ env: [{ name: 'A', value: 1 }] })),
    field: `${CONTAINERS}[0].env[0].value`,
  },
  {
    what: 'a label that is a number',
    spec: labelled({ labels: { tier: 1 } }),
    field: 'spec.workers.template.metadata.labels.tier',
  },
  { what: 'a negative minimum', spec: specWith({ scaling: { minReplicas: -1 } }), field: 'spec.scaling.minReplicas' },
  { what: 'a maximum of 0', spec: specWith({ scaling: { maxReplicas: 0 } }), field: 'spec.scaling.maxReplicas' },
  { what: 'a maximum of 1001', spec: specWith({ scaling: { maxReplicas: 1001 } }), field: 'spec.scaling.maxReplicas' },
  { what: 'half a replica', spec: specWith({ scaling: { minReplicas: 0.5 } }), field: 'spec.scaling.minReplicas' },
  {
    what: 'a negative number of replicas a minute',
    spec: specWith({ scaling: { scaleUp: { maxPerMinute: -1 } } }),
    field: 'spec.scaling.scaleUp.maxPerMinute',
  },
  {
    what: 'a schedule without a floor',
    spec: scheduled({ minReplicas: 0 }),
    field: 'spec.scaling.schedules[0].minReplicas',
  },
  {
    what: 'a time zone that no name can be',
    spec: scheduled({ timeZone: '+02:00' }),
    field: 'spec.scaling.schedules[0].timeZone',
  },
  { what: 'a duration as a number', spec: specWith({ scaling: { targetWait: 30 } }), field: 'spec.scaling.targetWait' },
  {
    what: 'a text of 33 characters as a duration',
    spec: specWith({ scaling: { targetWait: '1'.repeat(33) } }),
    field: 'spec.scaling.targetWait',
  },
  {
    what: 'a Supabase without a table to ask for',
    spec: specWith({
      health: {
        supabase: {
          url: { secretKeyRef: { name: 's', key: 'URL' } },
          key: { secretKeyRef: { name: 's', key: 'KEY' } },
        },
      },
    }),
    field: 'spec.health.supabase.table',
  },
  {
    what: 'a table that is a path',
    spec: specWith({
      health: {
        supabase: {
          url: { secretKeyRef: { name: 's', key: 'URL' } },
          key: { secretKeyRef: { name: 's', key: 'KEY' } },
          table: '../rpc/f',
        },
      },
    }),
    field: 'spec.health.supabase.table',
  },
  {
    what: 'a restart policy that does not exist',
    spec: specWith({ restarts: { policy: 'Always' } }),
    field: 'spec.restarts.policy',
  },
  {
    what: 'a source that does not exist',
    spec: specWith({ scaling: { metrics: { source: 'Grafana' } } }),
    field: 'spec.scaling.metrics.source',
  },
  {
    what: 'fewer Redis commands than a pool can live with',
    spec: queueWith({ commandsPerMinute: 9 }),
    field: 'spec.queue.commandsPerMinute',
  },
];
