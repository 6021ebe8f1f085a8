import { z } from 'zod';
import { API_GROUP, WORKER_CONTAINER } from './names.ts';
import { celString, type Rule, withRules } from './rules.ts';

/** The variables that the operator itself sets in the worker container, and what to use instead of setting them. */
const OWN_VARIABLES = {
  JOB_QUEUE_NAME: 'use spec.queue.name',
  JOB_QUEUE_PREFIX: 'use spec.queue.prefix',
  JOB_CONCURRENCY: 'use spec.workers.concurrency',
  REDIS_URL: 'use spec.queue.redis.url',
  POD_NAME: 'remove it, the operator sets it to the name of the pod',
  PORT: 'remove it, the operator sets it to the port that it scrapes',
  DRAIN_TIMEOUT_SECONDS: 'use spec.drain.timeout',
  AGENTPOOL_TOKEN_FILE: 'remove it, the operator sets it to the file with its token',
} as const;

const listMapByName = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] };

const environmentVariable = z.looseObject({
  name: z.string().min(1).max(253).describe('Name of the variable.'),
  value: z.string().max(32_768).describe('Its value; a number or true stands in quotes.').exactOptional(),
});

const plainContainer = z.looseObject({
  name: z
    .string()
    .max(63)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
    .describe('Name of the container.'),
  image: z.string().min(1).max(1024).describe('Image of the container.'),
  env: z.array(environmentVariable).max(128).meta(listMapByName).describe('Its variables.').exactOptional(),
});

type Container = z.infer<typeof plainContainer>;

const leavesVariable = ([name, instead]: [string, string]): Rule<Container> => ({
  cel:
    `self.name != ${celString(WORKER_CONTAINER)} || !has(self.env) || ` +
    `!self.env.exists(e, e.name == ${celString(name)})`,
  holds: (container) =>
    container.name !== WORKER_CONTAINER || !(container.env ?? []).some((variable) => variable.name === name),
  message: `container ${WORKER_CONTAINER} must not set ${name}: ${instead}`,
});

const container = withRules(plainContainer, Object.entries(OWN_VARIABLES).map(leavesVariable));

const containers = withRules(z.array(container).min(1).max(16).meta(listMapByName), [
  {
    cel: `self.exists(c, c.name == ${celString(WORKER_CONTAINER)})`,
    holds: (list) => list.some(({ name }) => name === WORKER_CONTAINER),
    message:
      `one of the containers must have the name ${WORKER_CONTAINER}: ` +
      'it is the one that runs the jobs and that the operator configures',
  },
]);

const keysOf = (field: string) =>
  withRules(z.record(z.string(), z.string().max(4096)), [
    {
      cel: `self.all(k, !k.startsWith('${API_GROUP}/'))`,
      holds: (map) => Object.keys(map).every((key) => !key.startsWith(`${API_GROUP}/`)),
      message: `${field} under ${API_GROUP}/ belong to the operator: use a prefix of your own`,
    },
  ]);

const metadata = z.looseObject({
  labels: keysOf('labels').meta({ maxProperties: 64 }).describe('Labels of the pods.').exactOptional(),
  annotations: keysOf('annotations').meta({ maxProperties: 64 }).describe('Annotations of the pods.').exactOptional(),
});

const podSpec = z.looseObject({
  containers: containers.describe('Containers of a replica; worker is the one that runs the jobs.'),
  initContainers: z
    .array(plainContainer)
    .max(16)
    .meta(listMapByName)
    .describe('Containers that run before.')
    .exactOptional(),
});

/**
 * The pod template of the workers. Only what rules and duplicate checks must see is declared; everything else is kept
 * as it was written and judged by the API server when the Deployment is applied.
 */
export const podTemplate = z.looseObject({
  metadata: metadata.describe('Labels and annotations of the pods.').exactOptional(),
  spec: podSpec.describe('A pod spec, as in a Deployment.'),
});
