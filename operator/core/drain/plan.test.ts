import { describe, expect, it } from 'vitest';
import { known } from '../known.ts';
import { planDrain } from './plan.ts';
import { fingerprintOf } from './settled.ts';
import { type DrainReplica, type DrainView, FIRST_DRAIN_MEMORY } from './view.ts';

const NOW = 1_767_614_400_000;

const replica = (name: string, over: Partial<DrainReplica> = {}): DrainReplica => ({
  name,
  uid: name,
  createdAt: NOW - 600_000,
  running: true,
  ready: true,
  restarts: 0,
  answer: known({ name, processStart: 'p', active: 0, cordoned: false, lastFinished: null }, NOW),
  ...over,
});

const three = [replica('a'), replica('b'), replica('c')];
const oneMarked = [replica('a', { mark: { of: 'an earlier proof', beside: fingerprintOf(three) } }), ...three.slice(1)];

/** Five were asked for, and the quota lets three be. */
const refusedView = (over: Partial<DrainView> = {}): DrainView => ({
  now: NOW,
  epoch: 'e',
  wanted: 1,
  deployment: { resourceVersion: '1', replicas: 5, generation: 2, observedGeneration: 2, fenced: true, behind: false },
  replicaSets: [
    { name: 'set', generation: 2, observedGeneration: 2, replicas: 5, status: { replicas: 3, unmarked: 2 } },
  ],
  refused: true,
  asked: true,
  replicas: oneMarked,
  activeJobs: known({ total: 0, unnamed: 0, byName: {} }, NOW),
  memory: FIRST_DRAIN_MEMORY,
  timeoutMs: 900_000,
  onTimeout: 'Wait',
  ...over,
});

describe('a number that the cluster refuses to fill', () => {
  it.each([
    ['a replica is marked', oneMarked],
    ['none is marked', three],
  ])('is lowered to the replicas that there are, and takes none away, where %s', (_, replicas) => {
    expect(planDrain(refusedView({ replicas })).lower).toEqual({ replicas: 3, proven: [] });
  });

  it('is followed by taking back the mark of another proof, so that the drain goes on', () => {
    const { deployment, replicaSets } = refusedView();
    const filled = refusedView({
      refused: false,
      deployment: { ...deployment, replicas: 3 },
      replicaSets: replicaSets.map((set) => ({ ...set, replicas: 3 })),
    });
    expect(planDrain(filled).steps).toContainEqual({ kind: 'unmark', uid: 'a', name: 'a' });
  });

  it('stays while it is wanted, and while the controllers are behind', () => {
    expect(planDrain(refusedView({ wanted: 5 })).lower).toBeUndefined();
    const { deployment } = refusedView();
    expect(planDrain(refusedView({ deployment: { ...deployment, observedGeneration: 1 } })).lower).toBeUndefined();
  });
});
