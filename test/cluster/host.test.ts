import { describe, expect, it } from 'vitest';
import { CannotRunHere, whyNot } from './host.ts';

const able = { platform: 'linux', uid: 0, missing: [], cacheDir: '/srv/cache/agent-worker-pool' };

describe('a machine', () => {
  it('can run the cluster on Linux as root', () => {
    expect(whyNot(able)).toBeUndefined();
  });

  it.each([
    [{ platform: 'darwin' }, 'it needs Linux, and this is darwin'],
    [{ uid: 1000 }, 'it needs root'],
    [{ missing: ['unshare', 'ip'] }, 'not on PATH: unshare, ip'],
    [{ cacheDir: '/var/lib/ci/.cache/agent-worker-pool' }, 'set XDG_CACHE_HOME'],
  ])('cannot with %j, and is told why', (difference, why) => {
    expect(whyNot({ ...able, ...difference })).toContain(why);
  });

  it('that cannot run it is told what to do instead', () => {
    expect(new CannotRunHere('it needs root').message).toMatch(/it needs root\. Use --context NAME/);
  });
});
