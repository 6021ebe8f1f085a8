import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { outcomesOf, rememberDrain } from '../core/drain/outcome.ts';
import { isDue } from '../core/drain/step-outcome.ts';
import type { DrainStep } from '../core/drain/steps.ts';
import { type DrainMemory, FIRST_DRAIN_MEMORY } from '../core/drain/view.ts';
import { NOON, samplePool, stateOf } from '../core/state.fixture.ts';
import type { KubeClient } from '../kube/client.ts';
import { silentLogger } from '../kube/log.ts';
import { Cordoner } from './cordon.ts';
import { Drainer } from './drain.ts';

const pool = samplePool();
const uncordon: DrainStep = { kind: 'uncordon', name: 'pod-0', uid: 'u0', because: 'wanted' };
/** No step of these tests writes to Kubernetes. */
const noCluster = {} as KubeClient;

/** A replica that answers every call with this status, and the operator's end of the calls. */
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((close) => close()));
});

async function drainOf(statusOf: () => number) {
  const server = createServer((_, response) => {
    response.writeHead(statusOf(), { 'content-type': 'application/json' });
    response.end(JSON.stringify({ processStartTime: 'first' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const world = { now: NOON, warned: 0, stale: [] as string[] };
  const now = () => world.now;
  const cordoner = new Cordoner({ now, mayAct: () => true });
  open.push(async () => {
    await cordoner.close();
    await new Promise((resolve) => server.close(resolve));
  });
  const log = { ...silentLogger, warn: () => void (world.warned += 1) };
  const onStaleToken = (poolKey: string) => void world.stale.push(poolKey);
  const drainer = new Drainer({ client: noCluster, cordoner, log, now, onStaleToken });
  const pod = { namespace: 'agents', name: 'pod-0', uid: 'u0', resourceVersion: '5', templateHash: 'hash', origin };
  const carryOut = (step: DrainStep, memory: DrainMemory) => {
    const { signal } = new AbortController();
    return drainer.carryOut([step], { pool, pods: new Map([['u0', pod]]), token: 't', memory, signal });
  };
  return { world, carryOut };
}

/** What the next pass counts and logs of it. */
const toldNext = (drain: DrainMemory) => {
  const state = stateOf({ replicas: 1 });
  const next = { ...state, memory: { ...state.memory, drain } };
  const again = { ...next.memory, drain: rememberDrain(next, undefined, { from: 1, to: 1 }) };
  return [outcomesOf(next, undefined), outcomesOf({ ...next, memory: again }, undefined)].map((outcomes) =>
    outcomes.map(({ outcome, replica }) => `${outcome} ${replica}`),
  );
};

describe('a call to a replica', () => {
  it('that fails is tried again after 1, 2, 4, 8 and 15 s, and said once', async () => {
    const { world, carryOut } = await drainOf(() => 500);
    let memory = FIRST_DRAIN_MEMORY;
    const pauses: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      memory = await carryOut(uncordon, memory);
      const failedAt = world.now;
      while (!isDue(memory, uncordon, world.now)) world.now += 500;
      pauses.push(world.now - failedAt);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    expect(world.warned).toBe(1);
  });

  it('that fails gives no replica back to work: nothing is counted before one succeeds, and then once', async () => {
    let status = 500;
    const { carryOut } = await drainOf(() => status);
    const failed = await carryOut(uncordon, FIRST_DRAIN_MEMORY);
    expect(toldNext(failed)).toEqual([[], []]);
    status = 200;
    const succeeded = await carryOut(uncordon, failed);
    expect(toldNext(succeeded)).toEqual([['reversed pod-0'], []]);
    expect(isDue(succeeded, uncordon, NOON)).toBe(true);
  });

  it('that fails keeps the opposite one from nothing', async () => {
    const { carryOut } = await drainOf(() => 500);
    const failed = await carryOut({ kind: 'cordon', name: 'pod-0', uid: 'u0', seconds: 60 }, FIRST_DRAIN_MEMORY);
    expect(isDue(failed, uncordon, NOON)).toBe(true);
  });

  it.each([
    [401, ['agents/agent-jobs']],
    [403, []],
    [500, []],
    [200, []],
  ])('that is answered with %s has the token read again: %s', async (status, stale) => {
    const { world, carryOut } = await drainOf(() => status);
    await carryOut(uncordon, FIRST_DRAIN_MEMORY);
    expect(world.stale).toEqual(stale);
  });
});
