import { describe, expect, it } from 'vitest';
import { SimulatedReplica } from './simulated-replica.ts';
import { inVictimOrder } from './victims.ts';

const NOW = 1_000_000_000;

type Over = Readonly<{ createdAgo?: number; readyAgo?: number; cordoned?: boolean; marked?: boolean; busy?: boolean }>;

let made = 0;
function replica({
  createdAgo = 1000,
  readyAgo = createdAgo,
  cordoned = false,
  marked = false,
  busy = true,
}: Over): SimulatedReplica {
  made += 1;
  const one = new SimulatedReplica(made, { createdAt: NOW - createdAgo * 1000, seed: 1 });
  if (readyAgo >= 0) one.readyAt = NOW - readyAgo * 1000;
  one.cordoned = cordoned;
  one.marked = marked;
  if (busy) one.jobs.set(made, NOW);
  return one;
}

describe("the ReplicaSet's order of victims", () => {
  it.each<[string, Over, Over]>([
    ['one that starts before one that is not ready', { readyAgo: -1 }, { cordoned: true, busy: false }],
    ['one that is not ready before one that is', { cordoned: true, busy: false }, {}],
    ['one with a deletion cost before one without', { marked: true }, {}],
    ['one that became ready later', { readyAgo: 100 }, { readyAgo: 900 }],
    ['one that was made later', { createdAgo: 100, readyAgo: 60 }, { createdAgo: 900, readyAgo: 60 }],
  ])('takes %s', (_what, first, last) => {
    const [a, b] = [replica(first), replica(last)];
    expect(inVictimOrder([b, a], NOW)).toEqual([a, b]);
    expect(inVictimOrder([a, b], NOW)).toEqual([a, b]);
  });

  it('does not ask who works, and sees no difference between ages of the same power of two', () => {
    const pair = [replica({ readyAgo: 600, busy: true }), replica({ readyAgo: 1000, busy: false })];
    const byUid = pair.toSorted((a, b) => a.uid - b.uid);
    expect(inVictimOrder(pair, NOW)).toEqual(byUid);
    expect(inVictimOrder(pair.toReversed(), NOW)).toEqual(byUid);
  });
});
