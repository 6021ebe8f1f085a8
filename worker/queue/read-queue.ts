import type { Redis } from 'ioredis';
import type { WorkerConfig } from '../config.ts';

/** Names of the states that `bullmq_job_count` reports, in the order in which the script returns their counts. */
export const JOB_STATES = [
  'waiting',
  'prioritized',
  'active',
  'delayed',
  'failed',
  'completed',
  'waiting-children',
] as const;

export type JobState = (typeof JOB_STATES)[number];

/** What Redis says of the whole queue; the same from every replica. */
export type QueueSnapshot = Readonly<{
  counts: Readonly<Record<JobState, number>>;
  /** Somebody added a job or made the queue; false also when all of it is gone, as after a fail-over to an empty Redis. */
  known: boolean;
  paused: boolean;
  /** Delayed jobs that are due but that no worker has promoted yet. */
  overdue: number;
  /** How long the oldest job that could run has been able to; 0 when there is none. */
  oldestWaitSeconds: number;
  /** BullMQ's own limits of the whole queue; 0 for one that is not set. */
  limits: Readonly<{
    concurrency: number;
    rateJobs: number;
    ratePeriodSeconds: number;
    /** The rate limit is used up: no job starts for so long. */
    remainingSeconds: number;
  }>;
}>;

/**
 * Reads one queue, touching a bounded number of jobs. Keys: those of the states in the order of JOB_STATES, `meta`, `id`,
 * `limiter`.
 * Arguments: now (ms), prefix of the job hashes. Returns the seven counts, then known, paused, overdue, the time (ms)
 * since which the oldest job can run, or -1, and of `meta` and `limiter` the global concurrency, the global rate limit's
 * jobs and period (ms), and for how long (ms) it lets no job start.
 *
 * - Every added job counts up `id`, and a Queue writes `meta`. An idle worker's search for stalled jobs writes
 *   `opts.maxLenEvents` into `meta` too, so that field alone does not show that anybody knows the queue.
 * - BullMQ 6 leaves the jobs of a paused queue in `wait` and sets `meta.paused`.
 * - Score of `delayed`: due ms * 4096 + n. Score of `prioritized`: priority * 2^32 + counter.
 * - BullMQ sets a job's `delay` to 0 when it promotes it, so the delay is read from `opts`; `processedOn` is set when
 *   the job was started before (retry, handed back, stalled) and is then the better lower bound.
 * - The oldest job of `wait` is its tail, but a retried or stalled job or one with `lifo` is pushed to the tail too:
 *   hence a few of them and the head. Of `prioritized` the head is the most urgent, not the oldest: hence the first few
 *   of each of the first ten priorities.
 */
const SCRIPT = `
local now = tonumber(ARGV[1])
local oldest = -1
local function consider(readyAt)
  if readyAt and (oldest < 0 or readyAt < oldest) then oldest = readyAt end
end
local function considerJob(id)
  local job = redis.call('HMGET', ARGV[2] .. id, 'timestamp', 'opts', 'processedOn')
  local added = tonumber(job[1])
  if not added then return end
  local parsed, opts = pcall(cjson.decode, job[2] or '{}')
  local delay = parsed and type(opts) == 'table' and tonumber(opts.delay) or 0
  consider(math.max(added + delay, tonumber(job[3] or 0) or 0))
end

local counts = {
  redis.call('LLEN', KEYS[1]), redis.call('ZCARD', KEYS[2]), redis.call('LLEN', KEYS[3]), redis.call('ZCARD', KEYS[4]),
  redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[6]), redis.call('ZCARD', KEYS[7]),
}
local known = redis.call('EXISTS', KEYS[9])
if redis.call('HLEN', KEYS[8]) > redis.call('HEXISTS', KEYS[8], 'opts.maxLenEvents') then known = 1 end
for _, count in ipairs(counts) do
  if count > 0 then known = 1 end
end
local paused = redis.call('HEXISTS', KEYS[8], 'paused')
local overdue = redis.call('ZCOUNT', KEYS[4], '-inf', string.format('%.0f', (now + 1) * 4096 - 1))

for _, id in ipairs(redis.call('LRANGE', KEYS[1], -5, -1)) do considerJob(id) end
local head = redis.call('LINDEX', KEYS[1], 0)
if head then considerJob(head) end

local from = '-inf'
for _ = 1, 10 do
  local jobs = redis.call('ZRANGEBYSCORE', KEYS[2], from, '+inf', 'WITHSCORES', 'LIMIT', 0, 3)
  if #jobs == 0 then break end
  local priority = math.floor(tonumber(jobs[2]) / 4294967296)
  for i = 1, #jobs, 2 do
    if math.floor(tonumber(jobs[i + 1]) / 4294967296) == priority then considerJob(jobs[i]) end
  end
  from = string.format('%.0f', (priority + 1) * 4294967296)
end

local due = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
if overdue > 0 then consider(math.floor(tonumber(due[2]) / 4096)) end

local limits = redis.call('HMGET', KEYS[8], 'concurrency', 'max', 'duration')
local started = tonumber(redis.call('GET', KEYS[10]) or '') or 0
local remaining = 0
if started >= (tonumber(limits[2] or '') or 9007199254740991) then remaining = math.max(0, redis.call('PTTL', KEYS[10])) end
local function whole(text) return math.max(0, math.floor(tonumber(text or '') or 0)) end

return {
  counts[1], counts[2], counts[3], counts[4], counts[5], counts[6], counts[7], known, paused, overdue, oldest,
  whole(limits[1]), whole(limits[2]), whole(limits[3]), remaining,
}
`;

const KEY_SUFFIXES = [
  'wait',
  'prioritized',
  'active',
  'delayed',
  'failed',
  'completed',
  'waiting-children',
  'meta',
  'id',
  'limiter',
];

type ScriptedClient = Redis & { readAwpQueue(...keysAndArguments: (string | number)[]): Promise<unknown> };

/**
 * Prepares the read of one queue on a connection. Each call is one read-only script (EVALSHA_RO, so Redis 7 or later),
 * which Redis refuses should it ever try to write.
 */
export const prepareQueueRead = (client: Redis, queue: WorkerConfig['queue']) => {
  client.defineCommand('readAwpQueue', { lua: SCRIPT, numberOfKeys: KEY_SUFFIXES.length, readOnly: true });
  const jobPrefix = `${queue.prefix}:${queue.name}:`;
  const keys = KEY_SUFFIXES.map((suffix) => `${jobPrefix}${suffix}`);
  return async (now: number): Promise<QueueSnapshot> =>
    parseReply(await (client as ScriptedClient).readAwpQueue(...keys, now, jobPrefix), now);
};

/** @throws when the reply is not fifteen whole numbers. */
export const parseReply = (reply: unknown, now: number): QueueSnapshot => {
  if (!Array.isArray(reply) || reply.length !== 15 || !reply.every(Number.isInteger)) {
    throw new Error('the read of the queue returned something else than fifteen numbers');
  }
  const [waiting, prioritized, active, delayed, failed, completed, waitingChildren] = reply as number[];
  const [known, paused, overdue, oldestReadyAt] = (reply as number[]).slice(7) as [number, number, number, number];
  const [concurrency, rateJobs, ratePeriod, remaining] = (reply as number[]).slice(11) as [
    number,
    number,
    number,
    number,
  ];
  return {
    counts: { waiting, prioritized, active, delayed, failed, completed, 'waiting-children': waitingChildren } as Record<
      JobState,
      number
    >,
    known: known === 1,
    paused: paused === 1,
    overdue,
    oldestWaitSeconds: oldestReadyAt < 0 ? 0 : Math.max(0, now - oldestReadyAt) / 1000,
    limits: { concurrency, rateJobs, ratePeriodSeconds: ratePeriod / 1000, remainingSeconds: remaining / 1000 },
  };
};
