import { credentialsFromKubeConfig } from '../operator/kube/credentials.ts';
import { createKubeClient } from '../operator/kube/client.ts';
import { deployments } from '../operator/kube/resources.ts';
import { createTransport } from '../operator/kube/transport.ts';
import { until } from '../test/cluster/until.ts';
import { watchReplicas } from '../test/fixtures/stage/history.ts';
import type { Stage } from '../test/fixtures/stage/stage.ts';
import { NOWHERE } from './many-pools.ts';

/** As many as the operator has. */
const CONNECTIONS = 32;

type Deployment = Readonly<{
  metadata: Readonly<{ namespace: string; name: string; resourceVersion: string; generation: number }>;
  status?: Readonly<{ observedGeneration?: number }>;
}>;

/**
 * What the API server, its controllers and the disk can do by themselves: from the first of `count` patches of
 * `spec.replicas` from 0 to 1, as fast as a client without limits of its own can send them, until a watch has shown all,
 * in seconds. No operator has a part in it.
 */
export async function scalePlainDeployments(stage: Stage, kubeconfig: string, count: number): Promise<number> {
  const namespace = 'plain-deployments';
  await stage.kubectl.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }]);
  const transport = createTransport({
    credentials: credentialsFromKubeConfig({ kubeconfig }),
    limits: { connections: CONNECTIONS, rate: { perSecond: 100_000, burst: 100_000 } },
  });
  const client = createKubeClient({ transport });
  const history = await watchReplicas(stage, namespace);
  const names = Array.from({ length: count }, (_, index) => `plain-${index}`);
  const image = stage.images.worker;
  await Promise.all(names.map((name) => client.create(deployments, manifest({ namespace, name, image }))));
  const observed = await until(
    async () => {
      const { items } = await client.list<Deployment>(deployments, { namespace });
      const isSettled = ({ metadata, status }: Deployment) => status?.observedGeneration === metadata.generation;
      return items.every(isSettled) ? items : undefined;
    },
    { what: `${count} plain Deployments are settled`, limitMs: 300_000, everyMs: 1_000 },
  );
  const began = Date.now();
  await Promise.all(
    observed.map(({ metadata: { name, resourceVersion } }) =>
      client.mergePatch(deployments, {
        metadata: { namespace, name, resourceVersion },
        spec: { replicas: 1 },
      } as never),
    ),
  );
  const last = await until(
    () => {
      const scaled = names.flatMap((name) => history.of(name).find(({ replicas }) => replicas > 0) ?? []);
      return scaled.length === count ? Math.max(...scaled.map(({ at }) => at)) : undefined;
    },
    { what: `${count} plain Deployments are scaled`, limitMs: 120_000, everyMs: 50 },
  );
  await history.stop();
  await transport.close();
  await stage.kubectl.run(['delete', 'namespace', namespace, '--timeout=300s']);
  return (last - began) / 1000;
}

const manifest = ({ namespace, name, image }: Readonly<{ namespace: string; name: string; image: string }>) => ({
  metadata: { namespace, name },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { ...NOWHERE, containers: [{ name: 'worker', image }] } },
  },
});
