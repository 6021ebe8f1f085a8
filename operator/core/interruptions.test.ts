import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import { withInterruptions } from './interruptions.ts';
import { known } from './known.ts';
import { NOON, sampleDeletion, stateOf, toldBy } from './state.fixture.ts';
import type { PoolState, Ending } from './state.ts';

const ending = (over: Partial<Ending> = {}): Ending => ({
  key: 'uid-gone/1',
  uid: 'uid-gone',
  replica: 'pod-gone',
  at: NOON - 1000,
  handedBack: 2,
  lost: 0,
  templateHash: 'hash',
  terminating: true,
  deletedAt: NOON - 20_000,
  disrupted: false,
  marked: false,
  ...over,
});

type Deeds = Partial<NonNullable<PoolState['memory']['interruptions']>>;

function stateWith(endings: readonly Ending[], deeds: Deeds = {}): PoolState {
  const state = stateOf();
  const interruptions = { counted: [], restarted: [], loweredAt: [], ...deeds };
  return { ...state, endings, memory: { ...state.memory, interruptions } };
}

const causes = (state: PoolState) => decide(state).interruptions.map(({ cause, jobs }) => `${cause} ${jobs}`);

describe('jobs that a replica did not end before it had to go', () => {
  it.each<readonly [string, Partial<Ending>, Deeds, string]>([
    ['its container ended and its pod stays', { terminating: false }, {}, 'restart 2'],
    ['this operator restarted it', {}, { restarted: ['uid-gone'] }, 'restart 2'],
    ['the cluster took it away', { disrupted: true }, { loweredAt: [NOON - 21_000] }, 'disruption 2'],
    ['the kubelet evicted it', { disrupted: true, terminating: false }, {}, 'disruption 2'],
    ['it is of an older template', { templateHash: 'older' }, { loweredAt: [NOON - 21_000] }, 'rollout 2'],
    ['it was marked, by whichever leader', { marked: true }, {}, 'scale_down 2'],
    ['the number was lowered before it', {}, { loweredAt: [NOON - 50_000] }, 'scale_down 2'],
    ['the clock of the API server is behind', {}, { loweredAt: [NOON - 16_000] }, 'scale_down 2'],
    ['the number was lowered long before', {}, { loweredAt: [NOON - 120_000] }, 'unknown 2'],
    ['the number was lowered after', {}, { loweredAt: [NOON - 10_000] }, 'unknown 2'],
    ['somebody deleted it', {}, {}, 'unknown 2'],
    ['it could not give all of them back', { handedBack: 1, lost: 3 }, {}, 'unknown 4'],
  ])('are counted where it belongs: %s', (_, over, deeds, counted) => {
    expect(causes(stateWith([ending(over)], deeds))).toEqual([counted]);
  });

  it('are none where all had ended', () => {
    expect(causes(stateWith([ending({ handedBack: 0 })]))).toEqual([]);
  });

  it('are counted once, however often they are seen, and each end of a container anew', () => {
    const { memory, interruptions } = decide(stateWith([ending()]));
    expect(interruptions).toHaveLength(1);
    const again = { ...stateWith([ending(), ending({ key: 'uid-gone/2', terminating: false })]), memory };
    expect(causes(again)).toEqual(['restart 2']);
  });

  it('are not counted again by a leader that came later', () => {
    const state = stateWith([ending()]);
    expect(causes({ ...state, memory: { ...state.memory, watchingSince: NOON - 500 } })).toEqual([]);
  });

  it('are counted of a pool that cannot be decided on', () => {
    const state = stateWith([ending({ terminating: false })]);
    const other = { namespace: 'ns', name: 'older', uid: 'a', createdAt: 0 };
    expect(causes({ ...state, rivals: [other] })).toEqual(['restart 2']);
  });

  it('are told in one event, with the cause', () => {
    const told = toldBy(decide(stateWith([ending({ lost: 1, disrupted: true })])));
    expect(told).toEqual([
      {
        type: 'Warning',
        reason: 'JobsInterrupted',
        action: 'Scale',
        note: 'pod-gone gave 2 jobs back to the queue and could not give 1 job back when the cluster took it away',
      },
    ]);
  });
});

it('a leader remembers whom it restarted', () => {
  const state = stateOf();
  const { memory } = withInterruptions(state, { ...decide(state), deletion: sampleDeletion });
  expect(memory.interruptions?.restarted).toEqual(['uid-pod-0']);
});

it('a leader remembers when it lowered the number', () => {
  const state = stateOf({ replicas: 2 });
  const empty = { ready: 0, active: 0 };
  const lowered = decide({
    ...state,
    queue: known({ ...(state.queue.ok ? state.queue.value : never()), ...empty }, NOON),
  });
  const replicas = lowered.actions[0]?.manifest.spec.replicas;
  expect(replicas).toBe(0);
  expect(lowered.memory.interruptions?.loweredAt).toEqual([NOON]);
  expect(decide(stateOf()).memory.interruptions?.loweredAt).toEqual([]);
});

const never = (): never => {
  throw new Error('the queue is known');
};
