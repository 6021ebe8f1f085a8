/** Redis is blocked while a script runs; a hundred queues take it 1.6 ms. */
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
 * - The oldest job of `wait` is its tail, but a retried or stalled job or one with `lifo` is pushed to the tail too: hence
 *   a few of them and the head. Of `prioritized` the head is the most urgent, not the oldest: hence the first few of each
 *   of the first ten priorities. The workers' own reading looks at the same jobs, so both sources say the same age.
 * - A promoted job has lost its `delay`, its `opts` still have it; a retried job waits from its last `processedOn` at the
 *   earliest. So `readyAt` is never too late, and the age that follows from it is an upper bound.
 * - `paused` as a list and "0:" at the tail of `wait` are of BullMQ 5 and older.
 * - The tip of the event stream is of the same moment as the counts: a reader that blocks from it misses nothing.
 */
export const DEPTH_SCRIPT = `
local call = redis.call
local due = ARGV[1]
local PRIORITY = 4294967296

local function oldestReadyAt(base, overdue)
  local oldest
  local function consider(readyAt)
    if readyAt and (not oldest or readyAt < oldest) then oldest = readyAt end
  end
  local function considerJob(id)
    local job = call('HMGET', base .. id, 'timestamp', 'opts', 'processedOn')
    local timestamp = tonumber(job[1] or '')
    if not timestamp then return end
    local parsed, opts = pcall(cjson.decode, job[2] or '{}')
    local delay = parsed and type(opts) == 'table' and tonumber(opts['delay']) or 0
    consider(math.max(timestamp + delay, tonumber(job[3] or '') or 0))
  end

  for _, list in ipairs({'wait', 'paused'}) do
    for _, id in ipairs(call('LRANGE', base .. list, -5, -1)) do considerJob(id) end
    for _, id in ipairs(call('LRANGE', base .. list, 0, 0)) do considerJob(id) end
  end
  local from = '-inf'
  for _ = 1, 10 do
    local jobs = call('ZRANGEBYSCORE', base .. 'prioritized', from, '+inf', 'WITHSCORES', 'LIMIT', 0, 3)
    if #jobs == 0 then break end
    local level = math.floor(tonumber(jobs[2]) / PRIORITY)
    for i = 1, #jobs, 2 do
      if math.floor(tonumber(jobs[i + 1]) / PRIORITY) == level then considerJob(jobs[i]) end
    end
    from = string.format('%.0f', (level + 1) * PRIORITY)
  end
  if overdue > 0 then
    consider(math.floor(tonumber(call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')[2]) / 4096))
  end
  return oldest
end

local function read(base)
  local wait, prioritized, delayed = base .. 'wait', base .. 'prioritized', base .. 'delayed'
  local exists = call('EXISTS', base .. 'meta', wait, base .. 'paused', base .. 'active', prioritized, delayed,
    base .. 'failed', base .. 'completed', base .. 'waiting-children')
  local meta = call('HMGET', base .. 'meta', 'paused', 'concurrency', 'max', 'duration')
  local tail = call('LINDEX', wait, -1)
  local marker = tail and string.sub(tail, 1, 2) == '0:'
  local overdue = call('ZCOUNT', delayed, '-inf', due)
  local upcoming = call('ZRANGEBYSCORE', delayed, '(' .. due, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local tip = call('XREVRANGE', base .. 'events', '+', '-', 'COUNT', 1)
  local oldest = oldestReadyAt(base, overdue)

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
