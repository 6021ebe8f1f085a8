import type { Rule, Sight } from './rule.ts';

/** `config/core/configmaps/autoscaler.yaml` of Knative Serving, and `tickInterval` of its autoscaler. */
const TICK_MS = 2000;
const STABLE_MS = 60_000;
const PANIC_MS = 6000;
const TARGET = 0.7;
const PANIC_THRESHOLD = 2;
const MAX_DOWN_RATE = 2;
const MAX_UP_RATE = 1000;
const ZERO_GRACE_MS = 30_000;
/** A revision may take 300 s for a request, and its pods get that time to end. */
const REVISION_TIMEOUT_MS = 300_000;

/**
 * Knative's autoscaler (KPA): waiting and running jobs are its concurrency, as its activator counts requests that it
 * holds back; 0.7 of the slots are the target. See `pkg/autoscaler/scaling/autoscaler.go` of Knative Serving.
 */
export const knative: Rule = {
  name: 'knative',
  graceMs: REVISION_TIMEOUT_MS,
  start: ({ spec: { scaling, workers } }) => {
    const decide = kpa(workers.concurrency * TARGET);
    let idleSince: number | undefined;
    return {
      startsWith: scaling.minReplicas,
      look: (sight) => {
        const { now } = sight;
        const desired = decide(sight);
        idleSince = desired > 0 ? undefined : (idleSince ?? now);
        const rests = idleSince !== undefined && now - idleSince >= ZERO_GRACE_MS;
        const floored = desired === 0 && !rests ? Math.min(1, sight.replicas.length) : desired;
        const replicas = Math.min(Math.max(floored, scaling.minReplicas), scaling.maxReplicas);
        // At zero the activator tells the autoscaler of the first request at once.
        return { replicas, lookAgainAt: now + TICK_MS, ...(replicas === 0 ? { wakesFrom: now } : {}) };
      },
    };
  },
};

/** Wanted replicas at one tick; remembers samples and panic. */
function kpa(targetJobs: number): (sight: Sight) => number {
  const samples: Pick<Sight, 'now' | 'jobMs'>[] = [];
  let panickedAt: number | undefined;
  let panicReplicas = 0;
  return ({ now, jobMs, waiting, active, replicas }) => {
    samples.push({ now, jobMs });
    while ((samples[1]?.now ?? now) <= now - STABLE_MS) samples.shift();
    const ready = Math.max(1, replicas.filter((replica) => replica.isReady).length);
    const clamp = (jobs: number): number =>
      Math.min(Math.max(Math.ceil(jobs / targetJobs), Math.floor(ready / MAX_DOWN_RATE)), MAX_UP_RATE * ready);
    const stable = meanOver(samples, STABLE_MS) ?? waiting + active;
    const panic = meanOver(samples, PANIC_MS) ?? waiting + active;
    if (Math.ceil(panic / targetJobs) / ready >= PANIC_THRESHOLD) {
      panickedAt = now;
    } else if (panickedAt !== undefined && panickedAt + STABLE_MS < now) {
      panickedAt = undefined;
      panicReplicas = 0;
    }
    if (panickedAt === undefined) return clamp(stable);
    panicReplicas = Math.max(panicReplicas, clamp(stable), clamp(panic));
    return panicReplicas;
  };
}

/** Mean number of jobs of the last `windowMs`, or of what there is of it. */
function meanOver(samples: readonly Pick<Sight, 'now' | 'jobMs'>[], windowMs: number): number | undefined {
  const last = samples.at(-1);
  const first = samples.find(({ now }) => last !== undefined && now >= last.now - windowMs);
  if (last === undefined || first === undefined || first === last) return undefined;
  return (last.jobMs - first.jobMs) / (last.now - first.now);
}
