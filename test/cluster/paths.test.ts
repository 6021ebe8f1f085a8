import { describe, expect, it } from 'vitest';
import { cacheDir, checkName } from './paths.ts';

describe('the cache', () => {
  it('lies where XDG_CACHE_HOME says', () => {
    expect(cacheDir({ XDG_CACHE_HOME: '/somewhere' })).toBe('/somewhere/agent-worker-pool');
  });

  it('lies in ~/.cache when XDG_CACHE_HOME is empty or not set', () => {
    expect(cacheDir({})).toMatch(/\/\.cache\/agent-worker-pool$/);
    expect(cacheDir({ XDG_CACHE_HOME: '' })).toMatch(/\/\.cache\/agent-worker-pool$/);
  });
});

describe('a cluster name', () => {
  it.each(['default', 'a', 'ci-7'])('may be %j', (name) => {
    expect(checkName(name)).toBe(name);
  });

  it.each(['', '-a', 'a-', 'A', '../x', 'a b', 'x'.repeat(33)])('may not be %j', (name) => {
    expect(() => checkName(name)).toThrow('use at most 32 of');
  });
});
