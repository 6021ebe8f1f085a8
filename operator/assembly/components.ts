import { serveHttp } from '../http/server.ts';
import { checkServerVersion } from '../kube/server-version.ts';
import type { Component } from '../loop/manager.ts';
import { NOT_INSTALLED } from '../watch-cluster.ts';
import type { Built, Sources } from './build.ts';
import type { Kube } from './connect.ts';

/** The first in which the rules of the resource (CEL) are final: kubernetes.io/blog/2023/12/13/kubernetes-v1-29-release. */
const OLDEST_KUBERNETES = { major: 1, minor: 29 };

function httpOf({ config, registry }: Kube, probes: Parameters<typeof serveHttp>[0]['probes']): Component {
  let close = async (): Promise<void> => {};
  return {
    name: 'http',
    start: async () => {
      close = (await serveHttp({ port: config.PORT, registry, probes })).close;
    },
    stop: () => close(),
  };
}

const versionCheck = ({ transport }: Kube): Component => ({
  name: 'version of the API server',
  start: async (signal) => void (await checkServerVersion(transport, OLDEST_KUBERNETES, signal)),
});

const closeReplicas = async ({ scraper, health, witness, cordoner }: Sources): Promise<void> =>
  void (await Promise.all([scraper, health, witness, cordoner].map((one) => one.close())));

/** In the order in which they start; they stop in the opposite one. */
export function componentsOf(kube: Kube, { cluster, redis, sources, controller }: Built): readonly Component[] {
  const reflectors = [cluster.pools, cluster.deployments, cluster.pods, cluster.replicaSets, cluster.hpas];
  const unsynced = (): string | undefined => {
    const missing = cluster.pools.trouble();
    // It can be taken away from under an operator that has read everything, and is then the only news.
    if (missing?.startsWith(NOT_INSTALLED) === true) return missing;
    const waiting = reflectors.find((reflector) => !reflector.synced());
    return waiting === undefined ? undefined : (waiting.trouble() ?? `the ${waiting.type.plural} were not read yet`);
  };
  const probes = {
    alive: () => controller.problem() ?? kube.election.problem(),
    // One that can never lead must not replace one that can.
    ready: () => unsynced() ?? kube.election.barred(),
  };
  return [
    httpOf(kube, probes),
    versionCheck(kube),
    { name: 'events', start: () => {}, stop: () => kube.recorder.stop() },
    { name: 'queues', start: () => {}, stop: () => redis.close() },
    {
      name: 'replicas',
      start: () => {},
      stop: () => closeReplicas(sources),
    },
    { name: 'Prometheus', start: () => {}, stop: () => sources.prometheusClient.close() },
    { name: 'dependencies', start: () => {}, stop: () => sources.checks.close() },
    ...reflectors.map((reflector) => ({
      name: `watch of ${reflector.type.plural}`,
      start: (signal: AbortSignal) => reflector.start(signal),
      stop: () => reflector.stop(),
    })),
    {
      name: 'watch of scaledobjects',
      start: (signal: AbortSignal) => cluster.scaledObjects.start(signal),
      stop: () => cluster.scaledObjects.stop(),
    },
    // A new leader reads consistently before it decides anything.
    {
      name: 'consistent read',
      leaderOnly: true,
      start: async () => {
        await Promise.all(reflectors.map((reflector) => reflector.refresh()));
      },
    },
    { name: 'passes', leaderOnly: true, start: () => controller.start(), stop: () => controller.stop() },
  ];
}
