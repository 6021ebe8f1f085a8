import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import { known, unknown } from './known.ts';
import { afterApplying, NOON, queueOf, replicaOf, samplePool, stateOf } from './state.fixture.ts';
import type { PoolState, ReplicaView } from './state.ts';

const saying = (active: number, over: Partial<ReplicaView> = {}) =>
  replicaOf('a', {
    report: known({ active, slots: 5, processStart: 1, durationSum: 0, durationCount: 0 }, NOON),
    ...over,
  });
const silent = (over: Partial<ReplicaView> = {}) => replicaOf('a', { report: unknown('timed out'), ...over });

/** A queue that was seen, whose keys are gone for so long, in a pool of 4 replicas; one of them as given. */
function vanished(forMs: number, replica: ReplicaView = saying(0)): PoolState {
  const pool = { ...samplePool(), status: { queue: { seen: true } } };
  const first = stateOf({ pool, replicas: 4, queue: { exists: false } });
  const replicas = known([replica, replicaOf('b'), replicaOf('c'), replicaOf('d')], NOON);
  const begun = { ...first, replicas };
  const decision = decide(begun);
  expect(decision).toMatchObject({ actions: [], wanted: 4, because: { reason: 'QueueUnknown' } });
  return { ...afterApplying(begun, decision, forMs), queue: known(queueOf({ exists: false }), NOON + forMs) };
}

describe('a queue whose keys are all gone', () => {
  it('is believed to be empty after a window in which every replica said that it has nothing to do', () => {
    expect(decide(vanished(59_999)).because.reason).toBe('QueueUnknown');
    const decision = decide(vanished(60_000));
    expect(decision.actions[0]?.manifest.spec.replicas).toBe(0);
    expect(decision.because.reason).toBe('QueueEmpty');
    expect(decision.status.queue?.seen).toBe(false);
    const condition = decision.status.conditions?.find(({ type }) => type === 'QueueObserved');
    expect(condition).toMatchObject({ status: 'False', reason: 'NotSeenYet' });
  });

  it.each([
    ['runs a job', saying(1)],
    ['does not answer', silent()],
    ['is leaving and may still work', silent({ terminating: true })],
    ['is on a node that is lost', silent({ phase: 'Unknown' })],
  ])('is not believed while a replica %s', (_what, replica) => {
    expect(decide(vanished(600_000, replica)).because.reason).toBe('QueueUnknown');
  });

  it('is believed although a replica has not begun to run', () => {
    expect(decide(vanished(60_000, silent({ phase: 'Pending', ready: false }))).because.reason).toBe('QueueEmpty');
  });

  it('is not believed when the replicas cannot be seen', () => {
    const state = { ...vanished(600_000), replicas: unknown('the pods were not listed yet') };
    expect(decide(state).because.reason).toBe('QueueUnknown');
  });

  it('has to be gone for a whole window again when it came back, or could not be read, in between', () => {
    for (const between of [known(queueOf({ ready: 1, active: 3 }), NOON), unknown('timed out')]) {
      const seen = { ...vanished(30_000), queue: between };
      const gone = {
        ...afterApplying(seen, decide(seen), 40_000),
        queue: known(queueOf({ exists: false }), NOON + 70_000),
      };
      expect(decide(gone).because.reason).toBe('QueueUnknown');
    }
  });

  it('sizes the pool at once when it is back', () => {
    const state = { ...vanished(30_000), queue: known(queueOf({ ready: 60 }), NOON + 30_000) };
    expect(decide(state).actions[0]?.manifest.spec.replicas).toBe(12);
  });
});
