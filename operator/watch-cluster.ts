import { KIND, POOL_LABEL } from './api/names.ts';
import type { Config } from './config.ts';
import type { Logger } from './kube/log.ts';
import type { KubeMetrics } from './kube/metrics.ts';
import { OptionalReflector } from './kube/optional-reflector.ts';
import { createReflector } from './kube/reflector.ts';
import {
  deployments as deploymentType,
  keyOf,
  type ObjectRef,
  pods as podType,
  replicaSets as replicaSetType,
} from './kube/resources.ts';
import type { Change } from './kube/store.ts';
import type { KubeTransport } from './kube/transport.ts';
import type { OwnWrites } from './loop/own-writes.ts';
import {
  type AutoscalerObject,
  hpaType,
  projectHpa,
  projectScaledObject,
  scaledObjectType,
  TARGET_INDEX,
  targetIndex,
} from './observe/autoscalers.ts';
import { poolType, projectDeployment, projectPool, projectReplicaSet } from './observe/cluster.ts';
import type { Endings } from './observe/endings.ts';
import { type PodObject, projectPod } from './observe/pods.ts';
import { QUEUE_INDEX, queueIndex } from './observe/rivals.ts';

export type Enqueue = (poolKey: string) => void;

export type WatchParts = Readonly<{
  config: Pick<Config, 'WATCH_NAMESPACES' | 'POOL_SELECTOR'>;
  transport: KubeTransport;
  log: Logger;
  metrics: KubeMetrics;
  ownWrites: OwnWrites;
  endings: Pick<Endings, 'note'>;
}>;

/** The one trouble at the start that a person has to end. */
export const NOT_INSTALLED = `the definition of ${KIND} is not installed: kubectl apply --server-side -f crds/`;

/** The stores of what the operator reads; each change asks for a pass over its pool. */
export function watchCluster({ config, transport, log, metrics, ownWrites, endings }: WatchParts, enqueue: Enqueue) {
  const common = { transport, log, metrics, namespaces: config.WATCH_NAMESPACES };
  const ofPools = {
    ...common,
    labelSelector: POOL_LABEL,
    indexes: { pool: (item: { pool: string }) => [item.pool] },
    onChange: (change: { previous?: { pool: string } | undefined; current?: { pool: string } | undefined }) => {
      const changed = change.current ?? change.previous;
      if (changed !== undefined) enqueue(changed.pool);
    },
  };
  const pools = createReflector({
    ...common,
    type: poolType,
    ...(config.POOL_SELECTOR === undefined ? {} : { labelSelector: config.POOL_SELECTOR }),
    unknownType: NOT_INSTALLED,
    project: projectPool,
    indexes: { [QUEUE_INDEX]: queueIndex },
    onChange: ({ previous, current }) => {
      const changed: ObjectRef | undefined = current ?? previous;
      // A status write changes no intent: it starts no pass.
      if (changed !== undefined && previous?.intentKey !== current?.intentKey) enqueue(keyOf(changed));
    },
  });
  const deployments = createReflector({ ...ofPools, type: deploymentType, project: projectDeployment });
  const onPod: (change: Change<PodObject>) => void = (change) => {
    endings.note(change);
    ofPools.onChange(change);
  };
  const pods = createReflector({ ...ofPools, type: podType, project: projectPod, onChange: onPod });
  const replicaSets = createReflector({ ...ofPools, type: replicaSetType, project: projectReplicaSet });
  for (const reflector of [pools, deployments, pods, replicaSets]) ownWrites.watch(reflector);
  const ofAutoscalers = {
    ...common,
    indexes: { [TARGET_INDEX]: targetIndex },
    onChange: ({ previous, current }: Change<AutoscalerObject>) => {
      // Its own status changes every few seconds.
      if (previous?.target === current?.target) return;
      for (const { target } of [previous, current].filter((each) => each !== undefined)) {
        if (target !== undefined && pools.store.get(target) !== undefined) enqueue(target);
      }
    },
  };
  const hpas = createReflector({ ...ofAutoscalers, type: hpaType, project: projectHpa });
  const scaledObjects = new OptionalReflector({
    ...ofAutoscalers,
    type: scaledObjectType,
    project: projectScaledObject,
  });
  return { pools, deployments, pods, replicaSets, hpas, scaledObjects };
}
