/** Redis is blocked while a script runs; a hundred queues take it 1.6 ms. */
export const MAX_QUEUES_A_SCRIPT = 100;

/**
 * Reads any number of BullMQ queues at one moment and writes nothing.
 *
 * KEYS: `<prefix>:<queue>:` of each queue, as BullMQ's own scripts take it. ARGV[1]: the score below which a delayed
 * job is due, exclusive of the next millisecond. One array for each queue: `FIELDS` of depth.ts in that order, or
 * `{'error', message}` where a key of that queue is of a wrong type, so that one queue cannot spoil the answer of others.
 *
 * - A delayed job's score is its due time in ms * 4096 plus a sequence number; a prioritized job's is its priority * 2^32
 *   plus one. Of the prioritized jobs, the first of the most and of the least urgent priority are looked at for the age.
 * - A promoted job has lost its `delay`, its `opts` still have it; a retried job waits from its last `processedOn` at the
 *   earliest. So `readyAt` is never too late, and the age that follows from it is an upper bound.
 * - `paused` as a list and "0:" at the tail of `wait` are of BullMQ 5 and older.
 * - The tip of the event stream is of the same moment as the counts: a reader that blocks from it misses nothing.
 */
export const DEPTH_SCRIPT = `
local call = redis.call
local due = ARGV[1]
local PRIORITY = 4294967296

local function readyAt(base, id)
  if not id then return nil end
  local job = call('HMGET', base .. id, 'timestamp', 'opts', 'processedOn')
  local timestamp = tonumber(job[1] or '')
  if not timestamp then return nil end
  local fine, opts = pcall(cjson.decode, job[2] or '{}')
  local delay = fine and type(opts) == 'table' and tonumber(opts['delay']) or 0
  return math.max(timestamp + delay, tonumber(job[3] or '') or 0)
end

local function earliest(a, b)
  if not a then return b end
  if not b then return a end
  return math.min(a, b)
end

local function read(base)
  local wait, prioritized, delayed = base .. 'wait', base .. 'prioritized', base .. 'delayed'
  local exists = call('EXISTS', base .. 'meta', wait, base .. 'paused', base .. 'active', prioritized, delayed,
    base .. 'failed', base .. 'completed', base .. 'waiting-children')
  local meta = call('HMGET', base .. 'meta', 'paused', 'concurrency', 'max', 'duration')
  local tail = call('LINDEX', wait, -1)
  local marker = tail and string.sub(tail, 1, 2) == '0:'
  local urgent = call('ZRANGE', prioritized, 0, 0)
  local last = call('ZRANGE', prioritized, -1, -1, 'WITHSCORES')
  local overdue = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  local upcoming = call('ZRANGEBYSCORE', delayed, '(' .. due, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local tip = call('XREVRANGE', base .. 'events', '+', '-', 'COUNT', 1)

  local oldest = earliest(readyAt(base, tail), readyAt(base, call('LINDEX', base .. 'paused', -1)))
  oldest = earliest(oldest, readyAt(base, urgent[1]))
  if last[2] then
    local level = math.floor(tonumber(last[2]) / PRIORITY) * PRIORITY
    local first = call('ZRANGEBYSCORE', prioritized, string.format('%.0f', level), '+inf', 'LIMIT', 0, 1)
    oldest = earliest(oldest, readyAt(base, first[1]))
  end
  if overdue[2] and tonumber(overdue[2]) <= tonumber(due) then
    oldest = earliest(oldest, math.floor(tonumber(overdue[2]) / 4096))
  end

  return {
    exists,
    call('LLEN', wait) - (marker and 1 or 0) + call('LLEN', base .. 'paused'),
    call('ZCARD', prioritized),
    call('LLEN', base .. 'active'),
    call('ZCARD', delayed),
    call('ZCOUNT', delayed, '-inf', due),
    call('ZCARD', base .. 'failed'),
    call('ZCARD', base .. 'completed'),
    call('ZCARD', base .. 'waiting-children'),
    meta[1] or '',
    meta[2] or '',
    meta[3] or '',
    meta[4] or '',
    call('PTTL', base .. 'limiter'),
    upcoming[2] or '',
    oldest and string.format('%.0f', oldest) or '',
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
