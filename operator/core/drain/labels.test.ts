import { describe, expect, it } from 'vitest';
import { decide } from '../decide.ts';
import { known } from '../known.ts';
import { NOON, replicaOf, samplePool, stateOf } from '../state.fixture.ts';
import type { PoolState, ReplicaView } from '../state.ts';
import { lostLabels, standingOf } from './labels.ts';

const TEMPLATE = { 'agentpool.dev/pool': 'jobs', 'agentpool.dev/serving': 'true', team: 'a' };
const SERVING = { 'agentpool.dev/serving': 'true' };

it('what a replica lacks is what its template has and it has not, or otherwise; more labels are nobody’s loss', () => {
  expect(lostLabels({ labels: { ...TEMPLATE, more: 'x' } }, TEMPLATE)).toEqual({});
  const changed = { 'agentpool.dev/pool': 'jobs', 'agentpool.dev/serving': 'no' };
  expect(lostLabels({ labels: changed }, TEMPLATE)).toEqual({ ...SERVING, team: 'a' });
});

it('a replica without the label of those that serve counts as marked only where it takes no new job', () => {
  const mark = { of: 'a proof', beside: 'others' };
  expect(standingOf({ mark, lost: SERVING, cordoned: true })).toEqual({ mark });
  expect(standingOf({ mark: undefined, lost: {}, cordoned: true })).toEqual({});
  expect(standingOf({ mark: undefined, lost: SERVING, cordoned: false })).toEqual({ lostLabels: SERVING });
  expect(standingOf({ mark: undefined, lost: SERVING, cordoned: true })).toEqual({ mark: { of: '', beside: '' } });
  expect(standingOf({ mark: undefined, lost: { team: 'a' }, cordoned: true })).toEqual({ lostLabels: { team: 'a' } });
});

describe('a pool that keeps its two replicas', () => {
  /** `fullyLabelled`: as the ReplicaSet counts them. */
  const keeping = (views: readonly ReplicaView[], fullyLabelled: number): PoolState => {
    const set = { name: 'set', ownerUid: 'deployment-uid', templateHash: 'hash', labels: TEMPLATE, revision: 1 };
    const counts = { generation: 1, observedGeneration: 1, replicas: 2 };
    const status = { replicas: 2, unmarked: fullyLabelled };
    const state = stateOf({
      pool: samplePool({ minReplicas: 2 }),
      replicas: 2,
      replicaSets: known([{ ...set, ...counts, status }], NOON),
      drain: {
        asked: false,
        answers: {},
        activeJobs: known({ total: 0, unnamed: 0, byName: {} }, NOON),
        token: 'present',
      },
    });
    return { ...state, replicas: known(views, NOON) };
  };
  const whole = replicaOf('pod-0', { labels: TEMPLATE });
  const { 'agentpool.dev/serving': _serving, ...others } = TEMPLATE;
  const stripped = replicaOf('pod-1', { labels: others });

  it('sets a label again that somebody took from one, and has nothing to do then', () => {
    const relabel = { kind: 'relabel', name: 'pod-1', uid: 'uid-pod-1', labels: SERVING };
    expect(decide(keeping([whole, stripped], 1)).drainSteps).toEqual([relabel]);
    expect(decide(keeping([whole, replicaOf('pod-1', { labels: TEMPLATE })], 2)).drainSteps).toEqual([]);
  });

  it('leaves a pod alone that no ReplicaSet of it has: somebody took it out, to look at it', () => {
    const taken = replicaOf('pod-2', { labels: others, templateHash: '' });
    const both = [whole, replicaOf('pod-1', { labels: TEMPLATE }), taken];
    expect(decide(keeping(both, 2)).drainSteps).toEqual([]);
    expect(decide(keeping([whole, stripped, taken], 1)).drainSteps).toHaveLength(1);
  });
});
