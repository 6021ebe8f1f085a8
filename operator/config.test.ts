import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from './config.ts';

const least = { POD_NAME: 'operator-1', POD_NAMESPACE: 'agent-worker-pool' };

const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
  }
  return [];
};

describe('the environment of the operator', () => {
  it('needs two variables and has a default for every other', () => {
    expect(readConfig(least)).toEqual({
      ...least,
      PORT: 8080,
      SERVICE_ACCOUNT: 'agent-worker-pool',
      SECRETS_ROLE: 'agent-worker-pool-secrets',
      LOG_LEVEL: 'info',
      LEASE_NAME: 'agent-worker-pool',
      LEASE_DURATION_SECONDS: 15_000,
      CONCURRENT_PASSES: 32,
      KUBE_API_QPS: 200,
      KUBE_API_BURST: 500,
      REPLICA_HEALTH_THROUGH: 'PodAddress',
      WATCH_NAMESPACES: [],
    });
  });

  it('is refused with everything that is wrong at once, each with the name of its variable', () => {
    const env = {
      POD_NAME: '',
      PORT: 'http',
      LOG_LEVEL: 'loud',
      LEASE_DURATION_SECONDS: '1',
      CONCURRENT_PASSES: '2.5',
      KUBE_API_QPS: '0',
      KUBE_API_BURST: 'many',
      REPLICA_HEALTH_THROUGH: 'Proxy',
      WATCH_NAMESPACES: 'agents, Agents',
      POOL_SELECTOR: 'shard: a',
    };
    expect(problemsOf(env)).toEqual([
      'POD_NAME: is required but not set',
      'POD_NAMESPACE: is required but not set',
      'PORT: must be a whole number from 0 to 65535',
      'LOG_LEVEL: must be one of debug, info, warn, error',
      'LEASE_DURATION_SECONDS: must be a number of seconds from 2 to 3600',
      'CONCURRENT_PASSES: must be a whole number from 1 to 256',
      'KUBE_API_QPS: must be a number from 1 to 1000',
      'KUBE_API_BURST: must be a whole number from 1 to 2000',
      'REPLICA_HEALTH_THROUGH: must be one of PodAddress, PodProxy',
      'WATCH_NAMESPACES: must be names of namespaces with commas between them; "Agents" is none',
      'POOL_SELECTOR: must be a label selector such as shard=a or shard in (a, b)',
      'LEASE_NAME: is required with POOL_SELECTOR: operators with different pools need different leases',
    ]);
  });

  it('may hold empty variables, which count as absent', () => {
    expect(readConfig({ ...least, PORT: '' }).PORT).toBe(8080);
  });

  it('names the namespaces to look at, each once', () => {
    const { WATCH_NAMESPACES } = readConfig({ ...least, WATCH_NAMESPACES: 'agents, crm ,agents,' });
    expect(WATCH_NAMESPACES).toEqual(['agents', 'crm']);
    const tooMany = Array.from({ length: 101 }, (_, i) => `n${i}`).join();
    expect(problemsOf({ ...least, WATCH_NAMESPACES: tooMany })).toEqual([
      'WATCH_NAMESPACES: must be at most 100 namespaces, each is three watches; leave it out to watch all',
    ]);
  });

  it.each([
    ['shard=a', true],
    ['shard==a, tier!=test', true],
    ['example.dev/shard in (a, b),!legacy', true],
    ['shard notin (a)', true],
    ['shard', true],
    ['shard=', true],
    ['shard: a', false],
    ['shard in a', false],
    ['shard=a b', false],
    ['=a', false],
    ['shard=a,', false],
  ])('takes the selector %j: %j', (selector, isGood) => {
    const env = { ...least, LEASE_NAME: 'shard-a', POOL_SELECTOR: selector };
    expect(problemsOf(env)).toHaveLength(isGood ? 0 : 1);
  });

  it('wants a lease of its own for an operator of some of the pools', () => {
    expect(problemsOf({ ...least, POOL_SELECTOR: 'shard=a' })).toEqual([
      'LEASE_NAME: is required with POOL_SELECTOR: operators with different pools need different leases',
    ]);
    expect(readConfig({ ...least, LEASE_NAME: 'shard-a', POOL_SELECTOR: 'shard=a' }).LEASE_NAME).toBe('shard-a');
  });

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(readConfig(least))).toBe(true);
  });
});
