import { HPA_SYNC_MS } from '../../../operator/core/counterfactual/hpa.ts';
import { FIRST_KEDA_MEMORY, stepKeda } from '../../../operator/core/counterfactual/keda.ts';
import { KUBERNETES_GRACE_MS, type Rule } from './rule.ts';

/** KEDA on (waiting + active) / slots, the best that its Redis triggers can be told, with its defaults. */
export const keda: Rule = {
  name: 'keda',
  graceMs: KUBERNETES_GRACE_MS,
  start: ({ spec: { scaling, workers } }) => {
    const { minReplicas, maxReplicas } = scaling;
    let memory = FIRST_KEDA_MEMORY;
    return {
      startsWith: minReplicas,
      look: ({ now, waiting, active, replicas }) => {
        const input = { now, metric: waiting + active, perReplica: workers.concurrency, current: replicas.length };
        const step = stepKeda(memory, { ...input, minReplicas, maxReplicas });
        memory = step.memory;
        return { replicas: step.replicas, lookAgainAt: now + HPA_SYNC_MS };
      },
    };
  },
};
