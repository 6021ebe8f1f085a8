import { z } from 'zod';
import { int32, moment } from './fields.ts';

/** The longest sentence that a decision or a condition may carry; the operator cuts what is longer. */
export const MESSAGE_MAX_LENGTH = 2048;

const REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;

export const CONDITION_TYPES = ['Ready', 'Reconciling', 'Stalled', 'ScalingActive', 'QueueObserved'] as const;

const condition = z.object({
  type: z.enum(CONDITION_TYPES),
  status: z.enum(['True', 'False', 'Unknown']),
  observedGeneration: z.number().int().min(0).meta({ format: 'int64' }),
  lastTransitionTime: moment().meta({ description: 'When the status of this condition last changed.' }),
  reason: z.string().min(1).max(128).regex(REASON),
  message: z.string().max(MESSAGE_MAX_LENGTH),
});

const replicas = z.object({
  current: int32(0).meta({ description: 'Replicas that the Deployment has.' }),
  ready: int32(0).meta({ description: 'Replicas that are ready.' }),
  wanted: int32(0).meta({ description: 'Replicas that the last decision asked for.' }),
  draining: int32(0).meta({ description: 'Replicas that take no new job and are to go.' }),
});

const count = () => z.number().int().min(0).meta({ format: 'int64' });

/** What is not known is left out: a number that could not be read is never written as 0. */
const queue = z.object({
  waiting: count().meta({ description: 'Jobs that could start now.' }).exactOptional(),
  active: count().meta({ description: 'Jobs that run now.' }).exactOptional(),
  delayed: count().meta({ description: 'Jobs that wait for their time.' }).exactOptional(),
  failed: count().meta({ description: 'Jobs that failed for good and are kept.' }).exactOptional(),
  paused: z.boolean().meta({ description: 'The queue is paused in BullMQ.' }).exactOptional(),
  oldestWait: z.string().max(32).meta({ description: 'How long the oldest waiting job has waited.' }).exactOptional(),
  meanDuration: z.string().max(32).meta({ description: 'Mean duration of a job.' }).exactOptional(),
  source: z.enum(['Workers', 'Redis']).meta({ description: 'Where these numbers were read.' }).exactOptional(),
  observedAt: moment().meta({ description: 'When these numbers were read.' }).exactOptional(),
  seen: z
    .boolean()
    .meta({ description: 'The queue was seen in Redis. Once it was, missing keys mean that Redis lost it.' })
    .exactOptional(),
});

const decision = z.object({
  reason: z.string().min(1).max(128).regex(REASON),
  message: z.string().max(MESSAGE_MAX_LENGTH).meta({ description: 'The decision and its arithmetic, in a sentence.' }),
  at: moment().meta({ description: 'When it was made.' }),
});

export const poolStatus = z.object({
  observedGeneration: z
    .number()
    .int()
    .min(0)
    .meta({ format: 'int64', description: 'The generation of the spec that this status speaks of.' })
    .exactOptional(),
  replicas: replicas.exactOptional(),
  queue: queue.exactOptional(),
  decision: decision.exactOptional(),
  conditions: z
    .array(condition)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .exactOptional(),
});
