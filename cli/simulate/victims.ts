import type { SimulatedReplica } from './simulated-replica.ts';

/**
 * The order in which a ReplicaSet takes replicas away when `replicas` is lowered (`ActivePodsWithRanks` of Kubernetes):
 * those that do not run yet, those that are not ready, those of a lower deletion cost, those that became ready later,
 * those that were made later; ages are compared by the power of two of their seconds, and the UID decides a tie. Nodes
 * and container restarts, which rank too, are not simulated: every replica counts as alone on its node.
 */
export function inVictimOrder(replicas: readonly SimulatedReplica[], now: number): SimulatedReplica[] {
  return replicas.toSorted(
    (a, b) =>
      Number(b.isStarting) - Number(a.isStarting) ||
      Number(a.isReady) - Number(b.isReady) ||
      Number(b.marked) - Number(a.marked) ||
      (a.isReady && b.isReady ? magnitude(now - a.readyAt) - magnitude(now - b.readyAt) : 0) ||
      magnitude(now - a.createdAt) - magnitude(now - b.createdAt) ||
      a.uid - b.uid,
  );
}

const magnitude = (ageMs: number): number => Math.floor(Math.log2(Math.max(1, ageMs / 1000)));
