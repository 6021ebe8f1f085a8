import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Config } from '../config.ts';
import { createKubeClient } from '../kube/client.ts';
import { type CredentialSource, credentialsFromKubeConfig } from '../kube/credentials.ts';
import { createEventRecorder } from '../kube/events.ts';
import { createLeaderElector } from '../kube/lease.ts';
import { createKubeMetrics } from '../kube/metrics.ts';
import { createTransport } from '../kube/transport.ts';
import { Crowd } from '../loop/crowd.ts';
import { createOwnWrites } from '../loop/own-writes.ts';
import { Grants } from '../observe/rights.ts';
import { HealthClient } from '../observe/replicas/health-client.ts';
import { ProxiedHealthClient } from '../observe/replicas/health-proxy.ts';
import type { HealthAsker } from '../observe/replicas/health-watch.ts';
import { createLog } from '../telemetry/log.ts';
import { createPoolMetrics } from '../telemetry/metrics.ts';

const now = (): number => Date.now();

export type Kube = ReturnType<typeof connect>;

/** The ways to the API server, and who may write. */
export function connect(config: Config) {
  const telemetry = telemetryOf(config);
  const { log, metrics } = telemetry;
  const credentials = credentialsFromKubeConfig();
  // The audit log of the API server then tells the processes apart.
  const userAgent = `agent-worker-pool/${config.POD_NAME.replaceAll(/[^\w.-]/g, '_')}`;
  const grants = grantsOf(config);
  const election = createLeaderElector({
    ...leaseOf(config),
    credentials,
    log,
    metrics,
    userAgent,
    cureOfMissingRight: grants.ofRoles,
  });
  const transport = createTransport({
    credentials,
    cureOfMissingRight: (right) => grants.of(right),
    metrics,
    log,
    userAgent,
    limits: {
      rate: { perSecond: config.KUBE_API_QPS, burst: config.KUBE_API_BURST },
      // No pass waits for a connection that another one has.
      connections: config.CONCURRENT_PASSES,
    },
    beforeWrite: () => election.assertLeader(),
  });
  const ownWrites = createOwnWrites({ log });
  const client = createKubeClient({ transport, onWritten: ownWrites.onWritten });
  const crowd = new Crowd();
  const recorder = createEventRecorder({
    client,
    controller: 'agentpool.dev/operator',
    instance: config.POD_NAME,
    log,
    metrics,
    crowded: () => crowd.isThere(),
  });
  const health = healthAsker(config, { credentials, userAgent });
  return { ...telemetry, config, grants, election, transport, ownWrites, client, crowd, recorder, health };
}

function telemetryOf({ LOG_LEVEL }: Config) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = createKubeMetrics(registry);
  return { log: createLog(LOG_LEVEL), registry, metrics, poolMetrics: createPoolMetrics(registry) };
}

const grantsOf = ({ SECRETS_ROLE, POD_NAMESPACE, SERVICE_ACCOUNT, WATCH_NAMESPACES }: Config): Grants =>
  new Grants({
    secretsRole: SECRETS_ROLE,
    account: `${POD_NAMESPACE}:${SERVICE_ACCOUNT}`,
    watchNamespaces: WATCH_NAMESPACES,
  });

const leaseOf = (config: Config) => ({
  namespace: config.POD_NAMESPACE,
  name: config.LEASE_NAME,
  identity: config.POD_NAME,
  durationMs: config.LEASE_DURATION_SECONDS,
  renewMs: config.LEASE_DURATION_SECONDS / 3,
});

/** Connections of their own: replicas that hang must not keep the operator from writing. */
function healthAsker(
  config: Config,
  { credentials, userAgent }: Readonly<{ credentials: CredentialSource; userAgent: string }>,
): HealthAsker {
  if (config.REPLICA_HEALTH_THROUGH === 'PodAddress') return new HealthClient(now);
  const rate = { perSecond: config.KUBE_API_QPS, burst: config.KUBE_API_BURST };
  const limits = { rate, connections: 64, retries: 0, maxResponseBytes: 65_536 };
  return new ProxiedHealthClient({ transport: createTransport({ credentials, userAgent, limits }), now });
}
