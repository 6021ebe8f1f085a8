import {
  EPOCH_ANNOTATION,
  GENERATION_ANNOTATION,
  GROUP_VERSION,
  KIND,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  POOL_LABEL,
  REDIS_SECRET_ANNOTATION,
  REDIS_URL_ANNOTATION,
  RENDERING_ANNOTATION,
  WORKER_CONTAINER,
} from '../api/names.ts';
import type { Pool, SecretRef } from '../api/parse.ts';
import { digestOf } from './digest.ts';
import type { Fields, Manifest } from './manifest.ts';
import { type Additions, additionsOf, CURRENT_RENDERING, type Rendering } from './rendering.ts';
import type { UrlMark } from './state.ts';

/** The port of the worker's endpoints, and the name that a scrape looks for. */
const WORKER_PORT = 3001;
const WORKER_PORT_NAME = 'http';

type Scale = {
  replicas: number;
  resourceVersion?: string;
  mark?: string;
  redisUrl?: UrlMark;
  rendering?: Rendering;
};

/**
 * The whole Deployment of a pool, for one server-side apply. `replicas` is always in it: left out, Kubernetes would
 * set it to 1. `resourceVersion` is the precondition that the decision was made on; absent, it must be made. `mark` names
 * the leader that applies it.
 */
export function renderDeployment(pool: Pool, { rendering = CURRENT_RENDERING, ...scale }: Readonly<Scale>): Manifest {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: pool.name,
      namespace: pool.namespace,
      ...(scale.resourceVersion === undefined ? {} : { resourceVersion: scale.resourceVersion }),
      labels: { [POOL_LABEL]: pool.name, [MANAGED_BY_LABEL]: MANAGED_BY },
      annotations: {
        [RENDERING_ANNOTATION]: rendering,
        [GENERATION_ANNOTATION]: String(pool.generation),
        ...markOf(scale.redisUrl),
        ...(scale.mark === undefined ? {} : { [EPOCH_ANNOTATION]: scale.mark }),
      },
      ownerReferences: [{ apiVersion: GROUP_VERSION, kind: KIND, name: pool.name, uid: pool.uid, controller: true }],
    },
    spec: {
      replicas: scale.replicas,
      revisionHistoryLimit: 5,
      selector: { matchLabels: { [POOL_LABEL]: pool.name } },
      // A rollout never takes a worker away before another one is there.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
      template: renderTemplate(pool, scale.redisUrl, additionsOf(pool, rendering)),
    },
  };
}

const markOf = (redisUrl: UrlMark | undefined): Readonly<Record<string, string>> =>
  redisUrl === undefined
    ? {}
    : { [REDIS_URL_ANNOTATION]: redisUrl.digest, [REDIS_SECRET_ANNOTATION]: redisUrl.secretVersion };

function renderTemplate(pool: Pool, redisUrl: UrlMark | undefined, additions: Additions): Fields {
  const { metadata, spec } = pool.spec.workers.template;
  const { labels, annotations, graceSeconds, volumes } = additions;
  return {
    metadata: {
      ...metadata,
      labels: { ...metadata?.labels, ...labels, [POOL_LABEL]: pool.name },
      ...withAnnotations({
        // What the user says of evictions is the user's to say.
        ...annotations,
        ...metadata?.annotations,
        ...(redisUrl === undefined ? {} : { [REDIS_URL_ANNOTATION]: redisUrl.digest }),
      }),
    },
    spec: {
      terminationGracePeriodSeconds: graceSeconds,
      // A worker has no business with the API server.
      automountServiceAccountToken: false,
      ...firstProcess(spec),
      ...spec,
      ...withMore('volumes', spec['volumes'], volumes),
      containers: spec.containers.map((container) =>
        container.name === WORKER_CONTAINER ? renderWorker(pool, container, additions) : container,
      ),
    },
  };
}

const withAnnotations = (annotations: Readonly<Record<string, string>>): Fields =>
  Object.keys(annotations).length === 0 ? {} : { annotations };

type PodSpec = Pool['spec']['workers']['template']['spec'];

/**
 * The kernel gives the first process of a container no signal that it has no handler for: a Node that is told to end
 * while it still loads would not hear it, and work on, unseen, until its grace is over and its jobs are killed. With the
 * pod's pause process as the first one, SIGTERM ends it. Containers beside the worker would see each other's processes:
 * such a pod, and one that Kubernetes would refuse this for, is left as it is.
 */
function firstProcess({ containers, initContainers = [], ...spec }: PodSpec): Fields {
  const sidecars = initContainers.filter((container) => container['restartPolicy'] === 'Always');
  const { name: os } = (spec['os'] ?? {}) as { name?: unknown };
  const impossible = spec['hostPID'] === true || os === 'windows';
  return containers.length + sidecars.length > 1 || impossible ? {} : { shareProcessNamespace: true };
}

type Container = Pool['spec']['workers']['template']['spec']['containers'][number];

function renderWorker(pool: Pool, container: Container, { variables, mounts }: Additions): Fields {
  const port = { name: WORKER_PORT_NAME, containerPort: WORKER_PORT, protocol: 'TCP' };
  return {
    ...probes,
    ...container,
    env: [...ownVariables(pool), ...supabaseVariables(pool, container), ...variables, ...(container.env ?? [])],
    ...withMore('ports', container['ports'], [port]),
    ...withMore('volumeMounts', container['volumeMounts'], mounts),
  };
}

/** What is no list is left for the API server to refuse: dropped, it would be missed and nobody told. */
function withMore(name: string, declared: unknown, more: readonly Fields[]): Fields {
  if (more.length === 0) return {};
  const before = declared ?? [];
  return { [name]: Array.isArray(before) ? [...(before as unknown[]), ...more] : before };
}

/** First, so that the user's own variables can refer to them as `$(NAME)`. */
function ownVariables(pool: Pool): readonly Fields[] {
  const { queue, workers } = pool.spec;
  const { secretName, key } = queue.redisUrl;
  return [
    { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
    { name: 'REDIS_URL', valueFrom: { secretKeyRef: { name: secretName, key } } },
    { name: 'JOB_QUEUE_NAME', value: literal(queue.name) },
    { name: 'JOB_QUEUE_PREFIX', value: literal(queue.prefix) },
    { name: 'JOB_CONCURRENCY', value: String(workers.concurrency) },
    { name: 'PORT', value: String(WORKER_PORT) },
  ];
}

/**
 * What the worker checks Supabase with. What the template says itself is its own matter: the key that the jobs use may
 * be another one than the operator's.
 */
function supabaseVariables(pool: Pool, container: Container): readonly Fields[] {
  const { supabase } = pool.spec.health;
  if (supabase === undefined || supabase.mode === 'Off') return [];
  const refTo = ({ secretName, key }: SecretRef) => ({ valueFrom: { secretKeyRef: { name: secretName, key } } });
  const declared = new Set((container.env ?? []).map(({ name }) => name));
  const hasOwn = container['envFrom'] !== undefined;
  const access = [
    { name: 'SUPABASE_URL', ...refTo(supabase.url) },
    { name: 'SUPABASE_SERVICE_ROLE_KEY', ...refTo(supabase.key) },
  ];
  const health = [
    { name: 'SUPABASE_HEALTH_TABLE', value: supabase.table },
    { name: 'SUPABASE_HEALTH_MODE', value: supabase.mode },
  ];
  return [...(hasOwn ? [] : access), ...health].filter(({ name }) => !declared.has(name));
}

/** The kubelet expands `$(NAME)` in a value, and takes every `$$` for a dollar. */
const literal = (value: string): string => value.replaceAll('$', '$$$$');

const endpoint = (path: string): Fields => ({ path, port: WORKER_PORT, scheme: 'HTTP' });

/**
 * None depends on Redis or any other dependency: a probe that does restarts the fleet when the dependency is sick.
 * Liveness lets a job block the event loop for 20 s and more; a loop that is dead does not wait for the drain limit: the kubelet
 * starts its container again 83 s after its death at the latest.
 */
const probes: Fields = {
  startupProbe: { httpGet: endpoint('/livez'), periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 60 },
  readinessProbe: { httpGet: endpoint('/ready'), periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 2 },
  livenessProbe: {
    httpGet: endpoint('/livez'),
    periodSeconds: 8,
    timeoutSeconds: 5,
    failureThreshold: 6,
    terminationGracePeriodSeconds: 30,
  },
};

/**
 * A digest of the rendered fields without the number, its precondition and the mark: what must be applied again when it
 * changes. An operator that renders otherwise has another.
 */
export function templateKey(manifest: Manifest): string {
  const { resourceVersion: _precondition, annotations, ...metadata } = manifest.metadata;
  const { [EPOCH_ANNOTATION]: _mark, ...rendered } = annotations;
  const { replicas: _number, ...spec } = manifest.spec;
  return digestOf(JSON.stringify({ metadata, rendered, spec }));
}
