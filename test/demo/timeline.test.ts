import { describe, expect, it } from 'vitest';
import { type Look, NO_MILESTONES, row, withLook } from './timeline.ts';

const look = (at: number, replicas: number, ready: number): Look => ({
  at,
  waiting: 0,
  active: 0,
  completed: 0,
  replicas,
  ready,
  wanted: replicas,
  because: 'x',
});

describe('the milestones of the demo', () => {
  it('are the first replica, all replicas and zero again, each at its first look', () => {
    const looks = [
      look(0, 0, 0),
      look(100, 8, 0),
      look(900, 8, 1),
      look(2000, 8, 8),
      look(2500, 8, 8),
      look(9000, 0, 3),
      look(9500, 0, 0),
    ];
    const seen = looks.reduce((milestones, each) => withLook(milestones, each, each.at > 5000), NO_MILESTONES);
    expect(seen).toEqual({ peakReplicas: 8, firstReplicaMs: 900, allReplicasMs: 2000, zeroAgainMs: 9500 });
  });

  it('do not take the zero before the burst for the zero after it', () => {
    expect(withLook(NO_MILESTONES, look(0, 0, 0), false).zeroAgainMs).toBeUndefined();
  });
});

it('a row of the table has the time, the queue, the replicas and the reason, which is not told twice', () => {
  const seen = { at: 1234, waiting: 321, active: 50, completed: 29, replicas: 8, ready: 5, wanted: 8, because: 'held' };
  expect(row(seen)).toBe('   1.2 s      321      50     29           5/8   held');
  expect(row(seen, 'held')).toBe('   1.2 s      321      50     29           5/8');
});
