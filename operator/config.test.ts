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
      LOG_LEVEL: 'info',
      LEASE_NAME: 'agent-worker-pool',
      LEASE_DURATION_SECONDS: 15_000,
      CONCURRENT_PASSES: 16,
    });
  });

  it('is refused with everything that is wrong at once, each with the name of its variable', () => {
    const env = {
      POD_NAME: '',
      PORT: 'http',
      LOG_LEVEL: 'loud',
      LEASE_DURATION_SECONDS: '1',
      CONCURRENT_PASSES: '2.5',
    };
    expect(problemsOf(env)).toEqual([
      'POD_NAME: is required but not set',
      'POD_NAMESPACE: is required but not set',
      'PORT: must be a whole number from 0 to 65535',
      'LOG_LEVEL: must be one of debug, info, warn, error',
      'LEASE_DURATION_SECONDS: must be a number of seconds from 2 to 3600',
      'CONCURRENT_PASSES: must be a whole number from 1 to 256',
    ]);
  });

  it('may hold empty variables, which count as absent', () => {
    expect(readConfig({ ...least, PORT: '' }).PORT).toBe(8080);
  });

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(readConfig(least))).toBe(true);
  });
});
