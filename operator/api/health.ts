import { z } from 'zod';
import { DURATION_PATTERN, parseDuration } from './duration.ts';
import { durationBetween, int32, secretKeyRef } from './fields.ts';
import { celString, withRules } from './rules.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 1440 * MINUTE;

const MODES = ['Required', 'Optional', 'Off'] as const;

const secretValue = (what: string) =>
  z.object({ secretKeyRef: secretKeyRef.describe('The key of a Secret that holds it.') }).describe(what);

const supabase = z.object({
  mode: z
    .enum(MODES)
    .default('Required')
    .describe('Required: without it no job is started. Optional: it is only reported. Off: it is not checked.'),
  url: secretValue('The URL of the project, such as https://PROJECT.supabase.co.'),
  key: secretValue('The key that the operator checks with; a publishable one that may read the table will do.'),
  table: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .describe('A small table that the key may read: the check asks for its head and no row.'),
});

const bothDurations = (shorter: string, longer: string): string => {
  const isRead = (field: string) => `size(${field}) > 0 && ${field}.matches(${celString(DURATION_PATTERN)})`;
  return `(${isRead(shorter)} && ${isRead(longer)})`;
};

/** What is no duration is refused by its own field. */
const isShorter = (a: string, b: string): boolean => {
  const [first, second] = [parseDuration(a), parseDuration(b)];
  return first === undefined || second === undefined || first < second;
};

export const health = withRules(
  z.object({
    interval: durationBetween('interval', SECOND, 10 * MINUTE)
      .default('10s')
      .describe('How often a replica is asked.'),
    timeout: durationBetween('timeout', SECOND, MINUTE)
      .default('2s')
      .describe('How long an answer may take; shorter than interval.'),
    failureThreshold: int32(1, 100)
      .default(3)
      .describe('Failed checks in a row after which a replica that alone cannot reach a dependency counts as failed.'),
    progressTimeout: durationBetween('progressTimeout', 10 * SECOND, DAY)
      .default('2m')
      .describe('A replica with free slots that takes no job for so long while jobs wait counts as failed.'),
    redis: z
      .object({ mode: z.enum(MODES).default('Required').describe('How the workers depend on Redis.') })
      .prefault({})
      .describe('The Redis of the queue, as the replicas reach it.'),
    supabase: supabase.describe('The Supabase project that the jobs use; absent: Off.').exactOptional(),
  }),
  [
    {
      cel: `!has(self.timeout) || !has(self.interval) || !${bothDurations('self.timeout', 'self.interval')} || duration(self.timeout) < duration(self.interval)`,
      holds: ({ timeout, interval }) => isShorter(timeout, interval),
      message: 'timeout must be shorter than interval: shorten timeout or lengthen interval',
    },
  ],
);

const backoff = withRules(
  z.object({
    base: durationBetween('base', SECOND, DAY).default('10s').describe('The longest wait before the first retry.'),
    max: durationBetween('max', SECOND, DAY).default('5m').describe('The longest wait before any retry.'),
  }),
  [
    {
      cel: `!has(self.base) || !has(self.max) || !${bothDurations('self.base', 'self.max')} || duration(self.base) <= duration(self.max)`,
      holds: ({ base, max }) => base === max || isShorter(base, max),
      message: 'backoff.base must not be longer than backoff.max: shorten base or lengthen max',
    },
  ],
);

export const restarts = withRules(
  z.object({
    policy: z
      .enum(['OnFailure', 'Never'])
      .default('OnFailure')
      .describe(
        'OnFailure: a failed replica is deleted, and its ReplicaSet makes another. Never: it is only reported.',
      ),
    maxRetries: int32(0, 1000).default(10).describe('Restarts of one template before the operator gives up on it.'),
    backoff: backoff.prefault({}).describe('The wait before a retry doubles from base to max; a part of it is random.'),
    resetAfter: durationBetween('resetAfter', SECOND, 7 * DAY)
      .default('10m')
      .describe('All retries are given back when no replica failed for so long and a new one has done work.'),
  }),
  [
    {
      cel: `!has(self.backoff) || !has(self.backoff.max) || !has(self.resetAfter) || !${bothDurations('self.backoff.max', 'self.resetAfter')} || duration(self.resetAfter) > duration(self.backoff.max)`,
      holds: ({ backoff: { max }, resetAfter }) => isShorter(max, resetAfter),
      message:
        'restarts.resetAfter must be longer than restarts.backoff.max: else a failing replica never runs out of retries',
    },
  ],
);
