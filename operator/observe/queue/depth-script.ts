/** Redis is blocked while a script runs: a hundred queues with a backlog each take it some 5 ms of processor time. */
export const MAX_QUEUES_A_SCRIPT = 100;

/**
 * Reads any number of BullMQ queues at one moment and writes nothing.
 *
 * KEYS: `<prefix>:<queue>:` of each queue, as BullMQ's own scripts take it. ARGV[1]: the greatest score that a delayed
 * job has that is due. Returns one array for each queue, as `toDepth` of depth.ts reads it, or `{'error', message}` where
 * a key of that queue is of a wrong type: one queue cannot spoil the answer of others.
 *
 * - A delayed job's score is its due time in ms * 4096 plus a sequence number; a prioritized job's is its priority * 2^32
 *   plus one.
 * - The age of the oldest job is a hint, and costs more than all the rest. Looked at are: the tail of `wait`, which is
 *   next, and its head, for where many jumped the line (`lifo`, retries); of `prioritized`, whose head is the most urgent
 *   and not the oldest, the first of the most and of the least urgent priority; of `delayed` the first that is due.
 * - A promoted job has lost its `delay`, its `opts` still have it; a retried job waits from its last `processedOn` at
 *   the earliest. So `readyAt` is never too late, and the age that follows from it is an upper bound.
 * - `paused` as a list and "0:" at the tail of `wait` are of BullMQ 5 and older.
 * - An idle worker writes `opts.maxLenEvents` into `meta` twice a minute, into an empty Redis after a fail-over too: that
 *   field alone is no sign of a queue. `id` is counted up by every job that is added.
 * - The tip of the event stream is of the same moment as the counts: a reader that blocks from it misses nothing.
 */
export const DEPTH_SCRIPT = `
local call = redis.call
local due = ARGV[1]
local PRIORITY = 4294967296
local UNLIMITED = 9007199254740991

local function readyAt(base, id)
  local job = id and call('HMGET', base .. id, 'timestamp', 'processedOn', 'opts')
  local timestamp = job and tonumber(job[1] or '')
  if not timestamp then return math.huge end
  local delay = 0
  if job[3] and string.find(job[3], '"delay"', 1, true) then
    local parsed, opts = pcall(cjson.decode, job[3])
    delay = parsed and type(opts) == 'table' and tonumber(opts['delay']) or 0
  end
  return math.max(timestamp + delay, tonumber(job[2] or '') or 0)
end

local function ofPriorities(base, prioritized)
  local last = call('ZRANGE', prioritized, -1, -1, 'WITHSCORES')[2]
  if not last then return math.huge end
  local level = string.format('%.0f', math.floor(tonumber(last) / PRIORITY) * PRIORITY)
  local urgent = call('ZRANGE', prioritized, 0, 0)[1]
  local lazy = call('ZRANGEBYSCORE', prioritized, level, '+inf', 'LIMIT', 0, 1)[1]
  return math.min(readyAt(base, urgent), lazy ~= urgent and readyAt(base, lazy) or math.huge)
end

-- How long no job may start: a limit counts only when it is used up. BullMQ's rateLimit() writes the greatest number.
local function limitedFor(base, max)
  local started = tonumber(call('GET', base .. 'limiter') or '') or 0
  if started < (tonumber(max or '') or UNLIMITED) then return 0 end
  return math.max(0, call('PTTL', base .. 'limiter'))
end

local function read(base)
  local wait, prioritized, delayed = base .. 'wait', base .. 'prioritized', base .. 'delayed'
  local exists = call('EXISTS', base .. 'id', wait, base .. 'paused', base .. 'active', prioritized, delayed,
    base .. 'failed', base .. 'completed', base .. 'waiting-children')
  if call('HLEN', base .. 'meta') > call('HEXISTS', base .. 'meta', 'opts.maxLenEvents') then exists = 1 end
  local meta = call('HMGET', base .. 'meta', 'paused', 'concurrency', 'max', 'duration')
  local tail = call('LINDEX', wait, -1)
  local head = call('LINDEX', wait, 0)
  local marker = tail and string.sub(tail, 1, 2) == '0:'
  local overdue = call('ZCOUNT', delayed, '-inf', due)
  local upcoming = call('ZRANGEBYSCORE', delayed, '(' .. due, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local tip = call('XREVRANGE', base .. 'events', '+', '-', 'COUNT', 1)

  local oldest = math.min(readyAt(base, tail), head ~= tail and readyAt(base, head) or math.huge)
  oldest = math.min(oldest, readyAt(base, call('LINDEX', base .. 'paused', -1)), ofPriorities(base, prioritized))
  if overdue > 0 then
    oldest = math.min(oldest, math.floor(tonumber(call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]) / 4096))
  end

  return {
    exists,
    call('LLEN', wait) - (marker and 1 or 0) + call('LLEN', base .. 'paused'),
    call('ZCARD', prioritized),
    call('LLEN', base .. 'active'),
    call('ZCARD', delayed),
    overdue,
    call('ZCARD', base .. 'failed'),
    call('ZCARD', base .. 'completed'),
    call('ZCARD', base .. 'waiting-children'),
    meta[1] or '',
    meta[2] or '',
    meta[3] or '',
    meta[4] or '',
    limitedFor(base, meta[3]),
    upcoming[2] or '',
    oldest < math.huge and string.format('%.0f', oldest) or '',
    tip[1] and tip[1][1] or '0-0',
  }
end

local answers = {}
for index, base in ipairs(KEYS) do
  local fine, answer = pcall(read, base)
  if fine then
    answers[index] = answer
  else
    answers[index] = {'error', type(answer) == 'table' and answer.err or tostring(answer)}
  end
end
return answers
`;
