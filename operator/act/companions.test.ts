import { describe, expect, it } from 'vitest';
import { decide } from '../core/decide.ts';
import { samplePool, stateOf } from '../core/state.fixture.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorFromAnswer } from '../kube/errors.ts';
import { Companions } from './companions.ts';

const pool = samplePool();
const { signal } = new AbortController();

function companionsWith({ status, crowded = false }: { status?: number; crowded?: boolean }) {
  const world = { made: [] as string[], tokens: [] as string[], refused: [] as string[] };
  const create = (type: { plural: string }) => {
    world.made.push(type.plural);
    const text = JSON.stringify({ kind: 'Status', message: 'no' });
    if (status !== undefined) throw errorFromAnswer({ method: 'POST', path: '/x', status, text });
    return Promise.resolve({});
  };
  const companions = new Companions({
    client: { create } as unknown as KubeClient,
    now: () => 7,
    onToken: (key) => void world.tokens.push(key),
    crowded: () => crowded,
    onRefused: (_pool, because) => void world.refused.push(because),
  });
  return { companions, world };
}

const decision = { ...decide(stateOf({ pool, queue: {} })), makesToken: true, makesBudget: true };
const { drain: memory } = decision.memory;

describe('the token of a pool', () => {
  it.each([undefined, 409])('is made once: what was read of it before is void (answer %s)', async (status) => {
    const { companions, world } = companionsWith(status === undefined ? {} : { status });
    const after = await companions.makeToken(decision, { pool, memory, signal });
    expect(world).toMatchObject({ made: ['secrets'], tokens: ['agents/agent-jobs'] });
    expect(after.tokenRefused).toBeUndefined();
  });

  it('that is refused is not taken for made', async () => {
    const { companions, world } = companionsWith({ status: 403 });
    const after = await companions.makeToken(decision, { pool, memory, signal });
    expect(world.tokens).toEqual([]);
    expect(after.tokenRefused?.at).toBe(7);
  });
});

describe('the disruption budget of a pool', () => {
  it('waits while other pools wait for their number of replicas, and only then', async () => {
    const busy = companionsWith({ crowded: true });
    const later = await busy.companions.makeBudget(decision, { pool, memory, signal });
    expect([busy.world.made, later.budgetAt]).toEqual([[], undefined]);
    const calm = companionsWith({});
    const now = await calm.companions.makeBudget(decision, { pool, memory, signal });
    expect([calm.world.made, now.budgetAt]).toEqual([['poddisruptionbudgets'], 7]);
  });

  it('that is refused is reported, and the pool goes on', async () => {
    const { companions, world } = companionsWith({ status: 403 });
    expect((await companions.makeBudget(decision, { pool, memory, signal })).budgetAt).toBe(7);
    expect(world.refused).toEqual([expect.stringContaining('PodDisruptionBudget')]);
  });
});
