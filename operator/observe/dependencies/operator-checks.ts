import type { Pool, SecretRef, SupabaseRef } from '../../api/parse.ts';
import type { Check, CheckResult, DependencyName } from '../../core/dependencies/check.ts';
import { OPERATOR_FRESH_MS } from '../../core/dependencies/evidence.ts';
import { known, type Millis, unknown } from '../../core/known.ts';
import { keyOf } from '../../kube/resources.ts';
import type { RedisUse } from '../queue/redis-connection.ts';
import type { SecretCache } from '../secret-cache.ts';
import type { SupabaseChecker } from './supabase.ts';

export type OperatorChecksOptions = Readonly<{
  now: () => Millis;
  secrets: SecretCache;
  supabase: Pick<SupabaseChecker, 'check' | 'close'>;
  /** A check has ended with another result, or one that is not good. */
  onNews: (poolKey: string) => void;
}>;

/** The way to the pool's Redis, if its Secret leads to one. */
export type RedisWay = Readonly<
  | { ok: true; lastUse: () => RedisUse | undefined; check: (maxAgeMs: Millis) => Promise<RedisUse> }
  | { ok: false; trouble: string; because: string }
>;

export type ChecksRequest = Readonly<{ pool: Pool; redis: RedisWay; alert: boolean }>;

type Entry = {
  request: ChecksRequest;
  checks: Record<DependencyName, Check>;
  timer?: NodeJS.Timeout;
  /** Runs out when the last checks have become too old to say anything, because those that follow do not end. */
  staleTimer?: NodeJS.Timeout;
  running: boolean;
};

const CALM_MS: Millis = 60_000;
const NOT_YET = 'it was not checked yet';

/**
 * The operator's own checks of what each pool depends on, from its own place: once a minute when all is well, at once
 * when something begins not to be, and then at the pace of the replicas. They run beside the passes and start one only
 * when there is news: a pool that sleeps is not woken for them.
 */
export class OperatorChecks {
  readonly #options: OperatorChecksOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: OperatorChecksOptions) {
    this.#options = options;
  }

  /** What the last checks said. From now on they go on by themselves, for the pool as it is in this request. */
  read(request: ChecksRequest): Readonly<Record<DependencyName, Check>> {
    const key = keyOf(request.pool);
    const entry = this.#entries.get(key) ?? {
      request,
      checks: { redis: unknown(NOT_YET), supabase: unknown(NOT_YET) },
      running: false,
    };
    const begins = request.alert && !entry.request.alert;
    entry.request = request;
    const isNew = !this.#entries.has(key);
    this.#entries.set(key, entry);
    if (isNew || begins) void this.#run(key, entry);
    return { ...entry.checks, redis: latest(entry.checks.redis, request) };
  }

  forget(poolKey: string): void {
    clearTimers(this.#entries.get(poolKey));
    this.#entries.delete(poolKey);
    for (const part of ['url', 'key']) this.#options.secrets.forget(userOf(poolKey, part));
  }

  async close(): Promise<void> {
    for (const entry of this.#entries.values()) clearTimers(entry);
    this.#entries.clear();
    await this.#options.supabase.close();
  }

  /** Never rejects. */
  async #run(key: string, entry: Entry): Promise<void> {
    if (entry.running) return;
    clearTimeout(entry.timer);
    entry.running = true;
    const { request, checks: before } = entry;
    const { redisMode, intervalMs } = request.pool.spec.health;
    const [redis, supabase] = await Promise.all([
      redisMode === 'Off' ? unknown('it is not checked') : this.#redis(request),
      this.#supabase(key, request.pool),
    ]);
    entry.running = false;
    if (this.#entries.get(key) !== entry) return;
    entry.checks = { redis, supabase };
    this.#watchAge(key, entry);
    entry.timer = setTimeout(() => void this.#run(key, entry), entry.request.alert ? intervalMs : CALM_MS);
    const isNews = request.alert || [redis, supabase].some((check) => check.ok && !check.value.ok);
    if (isNews || summary(before.redis) !== summary(redis) || summary(before.supabase) !== summary(supabase)) {
      this.#options.onNews(key);
    }
  }

  /** A pool that sleeps is told when what it was decided on is no longer true. */
  #watchAge(key: string, entry: Entry): void {
    clearTimeout(entry.staleTimer);
    const ends = Object.values(entry.checks).flatMap((check) => (check.ok ? [check.at + OPERATOR_FRESH_MS] : []));
    if (ends.length === 0) return;
    const inMs = Math.min(...ends) - this.#options.now() + 1;
    entry.staleTimer = setTimeout(() => this.#options.onNews(key), Math.max(0, inMs));
  }

  async #redis({ redis, alert }: ChecksRequest): Promise<Check> {
    // A Secret that is missing says nothing of Redis; the pool is stalled for it.
    if (!redis.ok) return unknown(redis.because);
    return checkOf(await redis.check(alert ? 0 : CALM_MS));
  }

  async #supabase(key: string, pool: Pool): Promise<Check> {
    const { supabase, timeoutMs } = pool.spec.health;
    if (supabase === undefined || supabase.mode === 'Off') return unknown('it is not checked');
    const target = await this.#target(key, pool.namespace, supabase);
    if (typeof target === 'string') return unknown(target);
    const result = await this.#options.supabase.check({ ...target, table: supabase.table }, timeoutMs);
    if (!result.ok && result.kind === 'Refused') {
      for (const part of ['url', 'key']) this.#options.secrets.hurry(userOf(key, part), 'soon');
    }
    return known(result, this.#options.now());
  }

  async #target(
    key: string,
    namespace: string,
    { url, key: apiKey }: SupabaseRef,
  ): Promise<Readonly<{ url: string; key: string }> | string> {
    const [first, second] = await Promise.all([
      this.#value(userOf(key, 'url'), namespace, url),
      this.#value(userOf(key, 'key'), namespace, apiKey),
    ]);
    if (!first.ok) return first.because;
    return second.ok ? { url: first.value, key: second.value } : second.because;
  }

  async #value(
    user: string,
    namespace: string,
    { secretName: name, key }: SecretRef,
  ): Promise<Readonly<{ ok: true; value: string } | { ok: false; because: string }>> {
    const reading = await this.#options.secrets.read(user, { namespace, name });
    if (!reading.ok) {
      const because = reading.missing ? 'is not there' : 'may not be read by the operator, or cannot be';
      return { ok: false, because: `Secret ${name} for Supabase ${because}` };
    }
    const value = reading.data[key];
    if (value !== undefined) return { ok: true, value: Buffer.from(value, 'base64').toString('utf8').trim() };
    this.#options.secrets.hurry(user, 'soon');
    return { ok: false, because: `Secret ${name} has no key ${key} for Supabase` };
  }
}

function clearTimers(entry: Entry | undefined): void {
  clearTimeout(entry?.timer);
  clearTimeout(entry?.staleTimer);
}

function checkOf({ access, at }: RedisUse): Check {
  if (access.ok) return known<CheckResult>({ ok: true }, at);
  const kind = access.trouble === 'RedisUnreachable' ? 'Outage' : 'Refused';
  return known<CheckResult>({ ok: false, kind, because: `cannot be used: ${access.because}` }, at);
}

/** Every reading of the queue is a check of Redis too. */
function latest(check: Check, { redis, pool }: ChecksRequest): Check {
  const use = redis.ok && pool.spec.health.redisMode !== 'Off' ? redis.lastUse() : undefined;
  return use === undefined || (check.ok && check.at >= use.at) ? check : checkOf(use);
}

const userOf = (poolKey: string, part: string): string => `${poolKey} supabase ${part}`;

const summary = (check: Check): string => JSON.stringify(check.ok ? check.value : check.because);
