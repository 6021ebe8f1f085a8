import { describe, expect, it } from 'vitest';
import type { PoolRedis } from './queue/pool-redis.ts';
import { nextLookInMs } from './until-next-pass.ts';

const NEVER = Number.POSITIVE_INFINITY;
const SLEEPS = { recheckAfterMs: 30_000, sleepsForMs: 1_800_000 };

const redisOf = (said: Readonly<{ compared: boolean; slowPollInMs?: number }>): PoolRedis =>
  ({ isCompared: () => said.compared, slowPollInMs: () => said.slowPollInMs ?? NEVER }) as PoolRedis;

const look = (
  observed: Partial<Parameters<typeof nextLookInMs>[0]>,
  decided: Parameters<typeof nextLookInMs>[1] = SLEEPS,
) => nextLookInMs({ againInMs: NEVER, secretsDueInMs: NEVER, ...observed }, decided);

describe('the next look at a pool that nothing happens to', () => {
  it('is not before its decision can change, while its readings are compared', () => {
    expect(look({ redis: redisOf({ compared: true }) })).toBe(1_800_000);
  });

  it('is when a Secret that it was looked at with is to be read again, for nobody tells of that', () => {
    expect(look({ redis: redisOf({ compared: true }), secretsDueInMs: 540_000 })).toBe(540_000);
  });

  it('comes with the slow poll where its readings are not compared', () => {
    expect(look({ redis: redisOf({ compared: false, slowPollInMs: 12_000 }) })).toBe(12_000);
    expect(look({ redis: redisOf({ compared: false }) })).toBe(30_000);
    expect(look({ redis: redisOf({ compared: true }) }, { recheckAfterMs: 1_000 })).toBe(1_000);
  });

  it('is no later than its Redis can be asked again, and than its decision asks for where there is no Redis', () => {
    expect(look({ redis: redisOf({ compared: true }), againInMs: 400 })).toBe(400);
    expect(look({})).toBe(30_000);
  });
});
