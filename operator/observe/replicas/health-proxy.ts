import type { ReplicaHealth } from '../../core/health/replica-health.ts';
import { type Known, type Millis, unknown } from '../../core/known.ts';
import { KubeError } from '../../kube/errors.ts';
import { messageOf } from '../../kube/log.ts';
import type { KubeTransport } from '../../kube/transport.ts';
import type { HealthTarget } from './health-client.ts';
import { readHealthReport } from './health-report.ts';

export type ProxiedHealthClientOptions = Readonly<{
  /** For these questions alone: replicas that hang must not hold the connections of other calls. Does not repeat. */
  transport: Pick<KubeTransport, 'text' | 'close'>;
  now: () => Millis;
}>;

/**
 * Asks a replica for its `/health` through the API server's pod proxy, for an operator that cannot reach the addresses of
 * pods. What does not come from the replica itself says nothing of it: it is unknown.
 * https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls
 */
export class ProxiedHealthClient {
  readonly #options: ProxiedHealthClientOptions;

  constructor(options: ProxiedHealthClientOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async ask({ namespace, name, port }: HealthTarget, timeoutMs: Millis): Promise<Known<ReplicaHealth>> {
    const { transport, now } = this.#options;
    const path = `/api/v1/namespaces/${namespace}/pods/${name}:${port}/proxy/health`;
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      return readHealthReport(await transport.text({ method: 'GET', path, signal, idempotent: false }), now());
    } catch (error) {
      return degradedReport(error, now()) ?? unknown(sentenceOf(error, timeoutMs));
    }
  }

  close(): Promise<void> {
    return this.#options.transport.close();
  }
}

/** A replica that is degraded answers 503 with its report; the API server's own 503 is a `Status`. */
function degradedReport(error: unknown, now: Millis): Known<ReplicaHealth> | undefined {
  if (!(error instanceof KubeError) || error.status !== 503) return undefined;
  const { body } = error;
  return body === undefined || body.kind === 'Status' ? undefined : readHealthReport(JSON.stringify(body), now);
}

function sentenceOf(error: unknown, timeoutMs: Millis): string {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return `it did not answer /health within ${timeoutMs} ms through the pod proxy`;
  }
  if (!(error instanceof KubeError) || error.status === 0) {
    return `it cannot be asked through the pod proxy: ${messageOf(error)}`;
  }
  if (error.status === 403) return 'the operator may not use the pod proxy: it needs "get" of pods/proxy';
  if (error.body?.kind === 'Status') return `the pod proxy cannot reach it: status ${error.status}`;
  return `it answers /health with status ${error.status}`;
}
