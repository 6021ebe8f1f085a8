import type { Redis } from 'ioredis';
import type { ActiveJobs } from '../../core/drain/view.ts';
import { type Known, known, type Millis, unknown } from '../../core/known.ts';
import { messageOf } from '../../kube/log.ts';
import { keyBaseOf, type QueueName } from './depth.ts';
import { evaluateReadOnly } from './evaluate.ts';

/** Redis is blocked while the script runs: 1000 active jobs take it 0.7 ms. */
const MOST_JOBS = 20_000;

/**
 * Who runs the active jobs of a queue, by the name that BullMQ writes into a job when a worker takes it (`pb`). It is
 * never taken away again, so it means something only for a job that is active.
 */
const SCRIPT = `
local call = redis.call
local base, most = KEYS[1], tonumber(ARGV[1])

local function read()
  local ids = call('LRANGE', base .. 'active', 0, most)
  if #ids > most then return {'too many'} end
  local jobs, oldest, names = {}, {}, {}
  for _, id in ipairs(ids) do
    local row = call('HMGET', base .. id, 'pb', 'processedOn')
    local name = row[1] or ''
    local at = tonumber(row[2] or '') or 0
    if not jobs[name] then
      jobs[name], oldest[name] = 0, at
      names[#names + 1] = name
    end
    jobs[name] = jobs[name] + 1
    oldest[name] = math.min(oldest[name], at)
  end
  local answer = {tostring(#ids)}
  for _, name in ipairs(names) do
    answer[#answer + 1] = name
    answer[#answer + 1] = jobs[name]
    answer[#answer + 1] = string.format('%.0f', oldest[name])
  end
  return answer
end

local fine, answer = pcall(read)
if fine then return answer end
return {'error', type(answer) == 'table' and answer.err or tostring(answer)}
`;

/** Rejects when Redis cannot be asked. */
export async function readActiveJobs(client: Redis, queue: QueueName, now: Millis): Promise<Known<ActiveJobs>> {
  const answer = await evaluateReadOnly(client, SCRIPT, { keys: [keyBaseOf(queue)], args: [String(MOST_JOBS)] });
  return Array.isArray(answer) ? toActiveJobs(answer, now) : unknown('the script gave no answer');
}

function toActiveJobs([total, ...rows]: readonly unknown[], now: Millis): Known<ActiveJobs> {
  if (total === 'error') return unknown(`the active jobs cannot be read: ${messageOf(rows[0])}`);
  if (total === 'too many') return unknown(`more than ${MOST_JOBS} jobs are active`);
  const named: [string, ActiveJobs['byName'][string]][] = [];
  for (let i = 0; i < rows.length; i += 3) {
    named.push([String(rows[i]), { jobs: Number(rows[i + 1]), oldestStartedAt: Number(rows[i + 2]) }]);
  }
  const unnamed = named.find(([name]) => name === '')?.[1].jobs ?? 0;
  const byName = Object.fromEntries(named.filter(([name]) => name !== ''));
  return known({ total: Number(total), unnamed, byName }, now);
}
