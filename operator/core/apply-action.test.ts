import { describe, expect, it } from 'vitest';
import { EPOCH_ANNOTATION, POOL_LABEL } from '../api/names.ts';
import { applyAction } from './apply-action.ts';
import { decide } from './decide.ts';
import { known } from './known.ts';
import { afterApplying, deploymentOf, EPOCH, NOON, samplePool, stateOf } from './state.fixture.ts';
import type { PoolState } from './state.ts';

const pool = samplePool({ minReplicas: 0 });
const BACKLOG = { ready: 42 };

const actionOf = (state: PoolState) => decide(state).actions[0];

/** A pool of three replicas that a new leader has looked at, but not written. */
const ofAnotherLeader = stateOf({ pool, replicas: 3, queue: BACKLOG, epoch: '1.second' });

describe('a number that rises', () => {
  it.each([0, 3])('is written alone, on the version that was seen, from %i', (replicas) => {
    const action = actionOf(stateOf({ pool, replicas, queue: BACKLOG }));
    expect(action?.raise).toEqual({ uid: 'deployment-uid', resourceVersion: '100', generation: 1, fence: EPOCH });
    expect(action?.manifest.spec.replicas).toBeGreaterThan(replicas);
  });

  it('asks for nothing more once it is written, although the Deployment carries no mark of this leader', () => {
    const state = stateOf({ pool, queue: BACKLOG, epoch: '1.second' });
    const after = afterApplying(state, decide(state));
    expect(after.deployment).toMatchObject({ value: { annotations: { [EPOCH_ANNOTATION]: EPOCH } } });
    expect(decide(after).actions).toEqual([]);
  });

  const changed = { ...pool, generation: pool.generation + 1 };
  const settled = stateOf({ pool, replicas: 3, queue: BACKLOG });
  it.each<[string, PoolState]>([
    [
      'the pool has changed',
      stateOf({ ...settled, pool: changed, replicas: 3, queue: BACKLOG, memory: settled.memory }),
    ],
    ['another leader may still write', ofAnotherLeader],
    [
      'somebody has changed the Deployment',
      { ...settled, deployment: known({ ...deploymentOf(pool, 3), generation: 2 }, NOON) },
    ],
    ['it is to be made', { ...settled, deployment: known(null, NOON) }],
    ['nobody knows what was applied last', { ...settled, memory: withoutApplied(settled) }],
    ['the watch does not show what was written last', { ...settled, memory: writtenSince(settled) }],
    [
      'a write has gone unanswered, and may still arrive',
      { ...settled, memory: { ...settled.memory, drain: { ...settled.memory.drain, fences: 1 } } },
    ],
  ])('comes with the whole Deployment when %s', (_when, state) => {
    expect(actionOf(state)).toMatchObject({ kind: 'apply', manifest: { kind: 'Deployment' } });
    expect(actionOf(state)).not.toHaveProperty('raise');
  });
});

describe('a Deployment that somebody took the label of its pool from', () => {
  const state = stateOf({ pool, replicas: 3 });
  const { labels, ...view } = deploymentOf(pool, 3);
  const actionWith = (found: Readonly<Record<string, string>>) =>
    applyAction(state, { deployment: { ...view, labels: found }, replicas: 3 });

  it('is applied again: no watch shows it without', () => {
    const { [POOL_LABEL]: _taken, ...others } = labels;
    expect(actionWith(labels)).toBeUndefined();
    expect(actionWith(others)).toMatchObject({ manifest: { metadata: { labels: { [POOL_LABEL]: pool.name } } } });
    expect(actionWith(others)).not.toHaveProperty('raise');
    expect(actionWith({ ...others, [POOL_LABEL]: 'another' })).toMatchObject({ kind: 'apply' });
  });

  it('is left alone where only another label is gone, which harms nobody', () => {
    expect(actionWith({ [POOL_LABEL]: pool.name })).toBeUndefined();
  });
});

describe('a number that falls', () => {
  it('comes with the whole Deployment, and its mark', () => {
    const action = applyAction(stateOf({ pool, replicas: 3 }), { deployment: deploymentOf(pool, 3), replicas: 1 });
    expect(action?.manifest).toMatchObject({
      metadata: { annotations: { [EPOCH_ANNOTATION]: EPOCH } },
      spec: { replicas: 1 },
    });
    expect(action).not.toHaveProperty('raise');
  });
});

function withoutApplied({ memory }: PoolState): PoolState['memory'] {
  const { applied: _applied, ...rest } = memory;
  return rest;
}

/** The version that was seen is older than the last write. */
function writtenSince({ memory }: PoolState): PoolState['memory'] {
  if (memory.applied === undefined) throw new Error('nothing was applied');
  return { ...memory, applied: { ...memory.applied, generation: memory.applied.generation + 1, replicas: 4 } };
}
