import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';

/**
 * Commands that only the operator sends: workers read the queue with EVALSHA_RO and fetch with BZPOPMIN. What a script
 * calls inside is no command of a client, and is not counted.
 */
const OPERATORS = /^cmdstat_(?:eval_ro|xread|client\|id|client\|unblock):calls=(\d+)/gm;

/** How many commands the operators of this Redis send in a time, scaled to a minute. */
export async function countCommands(redis: Redis, ms: number): Promise<number> {
  const before = await sent(redis);
  const began = performance.now();
  await sleep(ms);
  const after = await sent(redis);
  return Math.round((after - before) * (60_000 / (performance.now() - began)));
}

async function sent(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats');
  return [...stats.matchAll(OPERATORS)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}
