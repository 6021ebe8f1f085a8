import { z } from 'zod';
import { type Millis, parseDuration } from './duration.ts';
import { type AgentWorkerPool, type PodTemplate, type PoolSpec, type PoolStatus, poolResource } from './pool.ts';
import type { Schedule } from './schedule.ts';
import { poolStatus } from './status.ts';

/** One value of a Secret in the pool's namespace. */
export type SecretRef = Readonly<{ secretName: string; key: string }>;

export type SupabaseRef = Readonly<{
  mode: 'Required' | 'Optional' | 'Off';
  url: SecretRef;
  key: SecretRef;
  table: string;
}>;

/** A pool as the rest of the operator works with it: defaults applied, times and durations in milliseconds. */
export type Pool = Readonly<{
  namespace: string;
  name: string;
  uid: string;
  generation: number;
  resourceVersion: string;
  createdAt: Millis;
  deletionAt?: Millis;
  annotations: Readonly<Record<string, string>>;
  spec: Readonly<{
    mode: PoolSpec['mode'];
    queue: Readonly<{
      name: string;
      prefix: string;
      commandsPerMinute: number;
      redisUrl: SecretRef;
    }>;
    workers: Readonly<{ concurrency: number; template: PodTemplate; deploymentName?: string }>;
    scaling: Readonly<{
      minReplicas: number;
      maxReplicas: number;
      targetWaitMs: Millis;
      source: PoolSpec['scaling']['metrics']['source'];
      prometheus?: PrometheusServer;
      scaleDownWindowMs: Millis;
      /** 0: no limit. */
      scaleUpMaxPerMinute: number;
      schedules: readonly Schedule[];
    }>;
    health: Readonly<{
      intervalMs: Millis;
      timeoutMs: Millis;
      failureThreshold: number;
      progressTimeoutMs: Millis;
      redisMode: PoolSpec['health']['redis']['mode'];
      supabase?: SupabaseRef;
    }>;
    restarts: Readonly<{
      policy: PoolSpec['restarts']['policy'];
      maxRetries: number;
      backoffBaseMs: Millis;
      backoffMaxMs: Millis;
      resetAfterMs: Millis;
    }>;
    drain: Readonly<{ timeoutMs: Millis; onTimeout: PoolSpec['drain']['onTimeout'] }>;
  }>;
  status?: PoolStatus;
}>;

type SecretKey = Readonly<{ secretName: string; key: string }>;
/** A server that says how many jobs wait; without a query it is asked the usual one. */
export type PrometheusServer = Readonly<{ url: string; query?: string; token?: SecretKey; ca?: SecretKey }>;

export type ParsedPool = Readonly<
  | { ok: true; pool: Pool }
  | {
      ok: false;
      problems: readonly string[];
      /** The account of retries as it stands in the status, which outlives a spec that cannot be read. */
      restarts?: NonNullable<PoolStatus['restarts']>;
    }
>;

/** `spec.workers.template.spec.containers[0].name`, as the API server writes paths. */
const pathOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');

const problemOf = ({ path, message }: z.core.$ZodIssue): string =>
  path.length === 0 ? message : `${pathOf(path)}: ${message}`;

const millisOf = (text: string): Millis => {
  const millis = parseDuration(text);
  if (millis === undefined) throw new TypeError(`the schema let '${text}' pass as a duration`);
  return millis;
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const toPrometheus = (server: PoolSpec['scaling']['metrics']['prometheus']): { prometheus?: PrometheusServer } => {
  if (server === undefined) return {};
  const { url, query, tokenSecretRef, caSecretRef } = server;
  const keyOf = ({ name, key }: { name: string; key: string }): SecretKey => ({ secretName: name, key });
  return {
    prometheus: {
      url,
      ...(query === undefined ? {} : { query }),
      ...(tokenSecretRef === undefined ? {} : { token: keyOf(tokenSecretRef) }),
      ...(caSecretRef === undefined ? {} : { ca: keyOf(caSecretRef) }),
    },
  };
};

const refTo = ({ secretKeyRef }: PoolSpec['queue']['redis']['url']): SecretRef => ({
  secretName: secretKeyRef.name,
  key: secretKeyRef.key,
});

const toHealth = ({
  interval,
  timeout,
  progressTimeout,
  failureThreshold,
  redis,
  supabase,
}: PoolSpec['health']): Pool['spec']['health'] => ({
  intervalMs: millisOf(interval),
  timeoutMs: millisOf(timeout),
  failureThreshold,
  progressTimeoutMs: millisOf(progressTimeout),
  redisMode: redis.mode,
  ...(supabase === undefined ? {} : { supabase: { ...supabase, url: refTo(supabase.url), key: refTo(supabase.key) } }),
});

const toPool = ({ metadata, spec, status }: AgentWorkerPool): Pool => ({
  namespace: metadata.namespace,
  name: metadata.name,
  uid: metadata.uid,
  generation: metadata.generation,
  resourceVersion: metadata.resourceVersion,
  createdAt: Date.parse(metadata.creationTimestamp),
  ...(metadata.deletionTimestamp === undefined ? {} : { deletionAt: Date.parse(metadata.deletionTimestamp) }),
  annotations: metadata.annotations ?? {},
  spec: {
    mode: spec.mode,
    queue: {
      name: spec.queue.name,
      prefix: spec.queue.prefix,
      commandsPerMinute: spec.queue.commandsPerMinute,
      redisUrl: refTo(spec.queue.redis.url),
    },
    workers: spec.workers,
    scaling: {
      minReplicas: spec.scaling.minReplicas,
      maxReplicas: spec.scaling.maxReplicas,
      targetWaitMs: millisOf(spec.scaling.targetWait),
      source: spec.scaling.metrics.source,
      ...toPrometheus(spec.scaling.metrics.prometheus),
      scaleDownWindowMs: millisOf(spec.scaling.scaleDown.window),
      scaleUpMaxPerMinute: spec.scaling.scaleUp.maxPerMinute,
      schedules: spec.scaling.schedules.map(({ duration, ...rest }) => ({ ...rest, durationMs: millisOf(duration) })),
    },
    health: toHealth(spec.health),
    restarts: {
      policy: spec.restarts.policy,
      maxRetries: spec.restarts.maxRetries,
      backoffBaseMs: millisOf(spec.restarts.backoff.base),
      backoffMaxMs: millisOf(spec.restarts.backoff.max),
      resetAfterMs: millisOf(spec.restarts.resetAfter),
    },
    drain: { timeoutMs: millisOf(spec.drain.timeout), onTimeout: spec.drain.onTimeout },
  },
  ...(status === undefined ? {} : { status }),
});

/**
 * Leaves out each part of the status that this version cannot read (another version wrote it): the operator writes
 * the status anew, and a pool must not stand still for it.
 */
const withReadableStatus = (raw: unknown): unknown => {
  if (!isObject(raw) || !isObject(raw['status'])) return raw;
  const { status } = raw;
  const parts = Object.entries(poolStatus.shape).filter(([key, part]) => part.safeParse(status[key]).success);
  return { ...raw, status: Object.fromEntries(parts.map(([key]) => [key, status[key]])) };
};

const accountOnly = z.object({ status: poolStatus.pick({ restarts: true }) });

/**
 * Reads a pool as the API server gave it. A server with this version's CRD has refused every bad spec before; the
 * problems (path and sentence) are for pools that came past an older CRD. They are all listed, and never thrown.
 */
export const parsePool = (raw: unknown): ParsedPool => {
  const readable = withReadableStatus(raw);
  const parsed = poolResource.safeParse(readable);
  if (parsed.success) return { ok: true, pool: toPool(parsed.data) };
  const problems = parsed.error.issues.map(problemOf);
  const { data: restarts } = accountOnly.safeParse(readable);
  return { ok: false, problems, ...(restarts?.status.restarts === undefined ? {} : restarts.status) };
};
