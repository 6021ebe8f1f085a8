import { z } from 'zod';
import { int32, moment } from './fields.ts';

/** A sentence that does not fit is cut by the operator before it is written. */
const MESSAGE_MAX_LENGTH = 2048;

const reason = () =>
  z
    .string()
    .min(1)
    .max(128)
    .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/);

/** A number that may outgrow 32 bits: jobs, generations. */
const count = () => z.number().int().min(0).meta({ format: 'int64' });

const CONDITION_TYPES = [
  'Ready',
  'Reconciling',
  'Stalled',
  'ScalingActive',
  'QueueObserved',
  'DependenciesHealthy',
  'RestartBudgetAvailable',
] as const;

const condition = z.object({
  type: z.enum(CONDITION_TYPES).describe('What the condition speaks of.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
  observedGeneration: count().describe('The generation of the spec that this condition speaks of.'),
  lastTransitionTime: moment().describe('When the status of this condition last changed.'),
  reason: reason().describe('Why, in one word.'),
  message: z.string().max(MESSAGE_MAX_LENGTH).describe('Why, in a sentence, and what to do.'),
});

const replicas = z.object({
  current: int32(0).describe('Replicas that the Deployment has.'),
  ready: int32(0).describe('Replicas that are ready.'),
  wanted: int32(0).describe('Replicas that the last decision asked for.'),
  draining: int32(0).describe('Replicas that take no new job and are to go.'),
});

/** What is not known is left out: a number that could not be read is never written as 0. */
const queue = z.object({
  waiting: count().describe('Jobs that could start now.').exactOptional(),
  active: count().describe('Jobs that run now.').exactOptional(),
  delayed: count().describe('Jobs that wait for their time.').exactOptional(),
  failed: count().describe('Jobs that failed for good and are kept.').exactOptional(),
  paused: z.boolean().describe('The queue is paused in BullMQ.').exactOptional(),
  oldestWait: z.string().max(32).describe('How long the oldest waiting job has waited.').exactOptional(),
  meanDuration: z
    .string()
    .max(32)
    .describe('Mean duration of a job: of those that ended lately, or the mean age of those that run if that is more.')
    .exactOptional(),
  meanDurationAt: moment()
    .describe('The hour in which that mean was last confirmed; it is used for seven days.')
    .exactOptional(),
  source: z.enum(['Workers', 'Prometheus', 'Redis']).describe('Where these numbers were read.').exactOptional(),
  observedAt: moment().describe('When these numbers were read.').exactOptional(),
  seen: z
    .boolean()
    .describe('The queue was seen in Redis. Once it was, missing keys mean that Redis lost it.')
    .exactOptional(),
});

const bound = z.object({
  reason: reason().describe('The rule, as the reason of the decision names it.'),
  from: int32(0).describe('Replicas before it.'),
  to: int32(0).describe('Replicas after it.'),
  message: z.string().max(MESSAGE_MAX_LENGTH).describe('What it says.'),
});

const decision = z.object({
  reason: reason().describe('The decision in one word.'),
  message: z.string().max(MESSAGE_MAX_LENGTH).describe('The decision and its arithmetic, in a sentence.'),
  at: moment().describe('When it was made.'),
  bounds: z
    .array(bound)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('The rules that bound the number, in their order; the last is the reason.')
    .exactOptional(),
});

const ofEach = <S extends z.ZodType>(schema: () => S) => ({
  pool: schema().describe('Of this pool.'),
  hpa: schema().describe('Of an HPA on waiting / 5.'),
  keda: schema().describe('Of KEDA on (waiting + active) / slots.'),
});

const counterfactual = z.object({
  note: z.string().max(MESSAGE_MAX_LENGTH).describe('What these numbers are: an estimate, and of what.'),
  since: moment().describe('The beginning of the first hour that is counted; at most 24 are.'),
  replicaHours: z.object(ofEach(() => z.string().max(32))).describe('Replica-hours since then.'),
  hourlyReplicaSeconds: z
    .object(ofEach(() => z.array(count()).max(24).meta({ 'x-kubernetes-list-type': 'atomic' })))
    .describe('Replica-seconds of each hour since then, the last of which still runs.'),
});

const podName = () => z.string().min(1).max(253);

const dependency = (name: string) =>
  z
    .enum(['Healthy', 'Unhealthy', 'Unknown'])
    .describe(`Whether the replica reaches ${name}; because says why not.`)
    .exactOptional();

const worker = z.object({
  pod: podName().describe('Name of the pod.'),
  node: z.string().max(253).describe('Node that it runs on.').exactOptional(),
  phase: z
    .enum(['Pending', 'Starting', 'Working', 'Cordoned', 'Held', 'Failed', 'Stopping'])
    .describe('What the replica is about.'),
  active: count().describe('Jobs that it runs now.').exactOptional(),
  slots: count().describe('Jobs that it can run at a time.').exactOptional(),
  redis: dependency('Redis'),
  supabase: dependency('Supabase'),
  cordonedUntil: moment().describe('It takes no new job until then.').exactOptional(),
  containerRestarts: int32(0).describe('How often its worker was started again in place.'),
  because: z.string().max(512).describe('What is wrong with it.').exactOptional(),
});

const pending = z.object({
  pod: podName().describe('Name of the pod.'),
  uid: z.string().max(64).describe('UID of the pod that is meant, and of no later one.'),
  at: moment().describe('When the retry was taken from the budget.'),
  reason: reason().describe('Why, in one word.'),
});

/** The account of retries. It is written before a replica is deleted, so that no two leaders count one of them twice. */
const restarts = z.object({
  templateHash: z.string().max(64).describe('The template that this account is of; another template has another.'),
  used: int32(0).describe('Retries that were taken.'),
  left: int32(0).describe('Retries that are left.'),
  everReady: z.boolean().describe('A replica of this template was once ready.'),
  pending: pending.describe('The retry that is being carried out.').exactOptional(),
  lastFailureAt: moment().describe('When a replica was last seen failed.').exactOptional(),
  lastRetryAt: moment().describe('When the last retry was taken.').exactOptional(),
  nextRetryAt: moment().describe('The next retry is not taken before this time.').exactOptional(),
});

/** A statement on one generation of one Deployment, and so never wrong later: another leader need not apply what is still that. */
const deployment = z.object({
  uid: z.string().max(64).describe('UID of the Deployment that is meant, and of no later one.'),
  generation: count().describe('Its generation then: any change of it since, by whomever, has added to that.'),
  template: z.string().max(64).describe('A digest of what was applied, but for the number of replicas.'),
});

/** Bounded: of a larger pool those are listed that something is wrong with, then as many others as there is room for. */
const WORKERS_MAX = 200;

export const poolStatus = z.object({
  observedGeneration: count().describe('The generation of the spec that this status speaks of.').exactOptional(),
  replicas: replicas.describe('Replicas of the pool.').exactOptional(),
  queue: queue.describe('The queue as it was last read; what is not known is left out.').exactOptional(),
  decision: decision.describe('The last decision on the size.').exactOptional(),
  counterfactual: counterfactual.describe('What other rules would have used: an estimate.').exactOptional(),
  workers: z
    .array(worker)
    .max(WORKERS_MAX)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['pod'] })
    .describe(`The replicas, at most ${WORKERS_MAX}, those first that something is wrong with.`)
    .exactOptional(),
  restarts: restarts.describe('The retries of the current template.').exactOptional(),
  deployment: deployment.describe('What the operator applied to the Deployment last.').exactOptional(),
  conditions: z
    .array(condition)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .describe('How the pool is, one condition for each question.')
    .exactOptional(),
});
