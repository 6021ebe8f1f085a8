import { HPA_SYNC_MS, type HpaMemory, syncHpa } from '../../../operator/core/counterfactual/hpa.ts';
import { KUBERNETES_GRACE_MS, type Rule } from './rule.ts';

/** Waiting jobs for each replica: the number that tutorials give. */
const WAITING_A_REPLICA = 5;

/** The plain HPA rule: waiting / 5, everything else as Kubernetes has it. It cannot go to zero. */
export const hpa: Rule = {
  name: 'hpa',
  graceMs: KUBERNETES_GRACE_MS,
  start: ({ spec: { scaling } }) => {
    const minReplicas = Math.max(1, scaling.minReplicas);
    let memory: HpaMemory = [];
    return {
      startsWith: minReplicas,
      look: ({ now, waiting, replicas }) => {
        const input = { now, metric: waiting, perReplica: WAITING_A_REPLICA, current: replicas.length, minReplicas };
        const synced = syncHpa(memory, { ...input, maxReplicas: scaling.maxReplicas });
        memory = synced.memory;
        return { replicas: synced.replicas, lookAgainAt: now + HPA_SYNC_MS };
      },
    };
  },
};
