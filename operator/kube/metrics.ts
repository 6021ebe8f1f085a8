import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Series of the Kubernetes machinery, named as client-go and controller-runtime name them where they have one. */
export type KubeMetrics = Readonly<{
  requests: Counter<'code' | 'method' | 'host'>;
  requestSeconds: Histogram<'verb' | 'host'>;
  retries: Counter<'method' | 'host'>;
  watchRestarts: Counter<'resource' | 'reason'>;
  lists: Counter<'resource'>;
  relistDifferences: Counter<'resource'>;
  audits: Counter<'resource'>;
  handlerErrors: Counter<'resource' | 'stage'>;
  storeObjects: Gauge<'resource'>;
  leader: Gauge<'name'>;
  eventsSent: Counter<'outcome'>;
}>;

/** The part that a transport counts with; a thread has a stand-in that tells the main one. */
export type RequestMetrics = Readonly<{
  requests: { inc(labels: RequestLabels, value?: number): void };
  requestSeconds: { observe(labels: Readonly<{ verb: string; host: string }>, seconds: number): void };
  retries: { inc(labels: Readonly<{ method: string; host: string }>, value?: number): void };
}>;
export type RequestLabels = Readonly<{ code: string; method: string; host: string }>;

/** Makes the series in `registry`. Call it once for a registry. */
export function createKubeMetrics(registry: Registry): KubeMetrics {
  const registers = [registry];
  return {
    requests: new Counter({
      name: 'rest_client_requests_total',
      help: 'Requests to the API server, by status code (<error> when no answer came), method and host.',
      labelNames: ['code', 'method', 'host'],
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'rest_client_request_duration_seconds',
      help: 'Time from sending a request to the API server to its whole answer; watches are left out.',
      labelNames: ['verb', 'host'],
      buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30],
      registers,
    }),
    retries: new Counter({
      name: 'rest_client_request_retries_total',
      help: 'Requests to the API server that were sent again.',
      labelNames: ['method', 'host'],
      registers,
    }),
    ...createReflectorMetrics(registers),
    leader: new Gauge({
      name: 'leader_election_master_status',
      help: '1 while this process holds the lease.',
      labelNames: ['name'],
      registers,
    }),
    eventsSent: new Counter({
      name: 'event_recorder_events_total',
      help: 'Events by what became of them: sent, failed, throttled (token bucket) or dropped (queue full).',
      labelNames: ['outcome'],
      registers,
    }),
  };
}

function createReflectorMetrics(registers: Registry[]) {
  return {
    watchRestarts: new Counter({
      name: 'reflector_watch_restarts_total',
      help: 'Watches that ended and were opened again, by reason.',
      labelNames: ['resource', 'reason'],
      registers,
    }),
    lists: new Counter({
      name: 'reflector_lists_total',
      help: 'Whole reads of a resource.',
      labelNames: ['resource'],
      registers,
    }),
    relistDifferences: new Counter({
      name: 'reflector_relist_differences_total',
      help: 'Objects that the audit relist found different from the store: what the watch missed. Must stay 0.',
      labelNames: ['resource'],
      registers,
    }),
    audits: new Counter({
      name: 'reflector_audits_total',
      help: 'Audit relists that were completed.',
      labelNames: ['resource'],
      registers,
    }),
    handlerErrors: new Counter({
      name: 'reflector_handler_errors_total',
      help: 'Errors thrown by projections and change handlers; they are logged and harm no other object.',
      labelNames: ['resource', 'stage'],
      registers,
    }),
    storeObjects: new Gauge({
      name: 'reflector_store_objects',
      help: 'Objects in the store.',
      labelNames: ['resource'],
      registers,
    }),
  } as const;
}

const restartReasons = [
  'closed',
  'network',
  'inactive',
  'gone',
  'malformed',
  'backwards',
  'server',
  'throttled',
  'refused',
] as const;

/** Why a watch was opened again. */
export type RestartReason = (typeof restartReasons)[number];

/** Makes a resource's series exist at 0, so that an alert on their increase sees the first one. */
export function initReflectorMetrics(metrics: KubeMetrics, resource: string): void {
  for (const reason of restartReasons) metrics.watchRestarts.inc({ resource, reason }, 0);
  for (const stage of ['project', 'change']) metrics.handlerErrors.inc({ resource, stage }, 0);
  for (const counter of [metrics.lists, metrics.relistDifferences, metrics.audits]) counter.inc({ resource }, 0);
  metrics.storeObjects.set({ resource }, 0);
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
/** Those that an alert asks for; `<error>`: no answer came. */
const codes = ['200', '409', '429', '500', '503', '<error>'] as const;

/** As `initReflectorMetrics`, for a host that is about to be asked. */
export function initRequestMetrics(metrics: RequestMetrics, host: string): void {
  for (const method of methods) {
    for (const code of codes) metrics.requests.inc({ code, method, host }, 0);
    metrics.retries.inc({ method, host }, 0);
  }
}
