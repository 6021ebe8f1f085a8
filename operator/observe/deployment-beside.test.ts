import { describe, expect, it } from 'vitest';
import { DeploymentBesideReader } from './deployment-beside.ts';

const ref = { namespace: 'agents', name: 'old-workers' };
const raw = {
  metadata: { ...ref, uid: 'u', resourceVersion: '1', generation: 3 },
  spec: { replicas: 4 },
  status: { replicas: 4, readyReplicas: 3 },
};

describe('a Deployment that a pool looks at without owning it', () => {
  it('is read at most every ten seconds, by however many', async () => {
    let now = 0;
    let reads = 0;
    const client = { get: async <T>() => ((reads += 1), raw as T) };
    const reader = new DeploymentBesideReader({ client, now: () => now });
    await Promise.all([reader.read(ref), reader.read(ref)]);
    now = 9999;
    expect(await reader.read(ref)).toMatchObject({ ok: true, value: { replicas: 4, status: { ready: 3 } } });
    expect(reads).toBe(1);
    now = 10_000;
    await reader.read(ref);
    expect(reads).toBe(2);
  });

  it('is unknown, with the reason, when it cannot be read, and null when there is none', async () => {
    const reader = (get: () => Promise<never>) => new DeploymentBesideReader({ client: { get }, now: () => 0 });
    expect(await reader(() => Promise.reject(new Error('403: no'))).read(ref)).toEqual({
      ok: false,
      because: 'the Deployment old-workers cannot be read: 403: no',
    });
    expect(await reader(() => Promise.resolve(undefined as never)).read(ref)).toMatchObject({ ok: true, value: null });
  });
});
