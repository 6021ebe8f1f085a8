// What could prove the design wrong: the plan in a world where everything happens between any two steps, and each
// safeguard left out in turn, to see that the world is hard enough to miss it.
import { describe, expect, it } from 'vitest';
import { ALL_KINDS, checkHistories, type Kind, SEED } from '../../../test/fixtures/drain-model/commands.ts';
import type { Safeguard } from '../../../test/fixtures/drain-model/world.ts';

/** 10,200 in all. */
const HISTORIES_A_KIND = 1_700;
/** Enough to find what each safeguard prevents, with any seed that was tried. */
const MOST_HISTORIES = 60_000;
const LIMIT_MS = 600_000;

describe('in any history of a pool', () => {
  it.each(ALL_KINDS)(
    'no busy replica is removed, and a pool that is wanted whole has none cordoned, %s',
    (kind) => {
      const { counterexample, histories, removed } = checkHistories({ kind, histories: HISTORIES_A_KIND, seed: SEED });
      expect(counterexample).toBeUndefined();
      expect(histories).toBe(HISTORIES_A_KIND);
      // Where nothing is removed, nothing can go wrong.
      expect(removed).toBeGreaterThan(HISTORIES_A_KIND / 40);
    },
    LIMIT_MS,
  );

  it(
    'nor where a drain that takes too long is given up',
    () => {
      const { counterexample } = checkHistories({ kind: 'ordinary', histories: 500, seed: SEED, onTimeout: 'Release' });
      expect(counterexample).toBeUndefined();
    },
    LIMIT_MS,
  );
});

const REMOVES_BUSY = /was removed while it ran/;

describe('a busy replica is removed', () => {
  const left: readonly (readonly [Safeguard, string, Kind])[] = [
    ['cordon', 'a replica is not told to take no new job', 'ordinary'],
    ['workerWitness', 'nobody asks the replica', 'with faults of workers and Redis'],
    ['redisWitness', 'nobody asks Redis', 'with faults of workers and Redis'],
    ['cost', 'a mark brings no deletion cost', 'ordinary'],
    ['marksCounted', 'nobody waits until the ReplicaSet has counted the marks', 'with controllers that lag'],
    ['exactNumber', 'the wanted number is written instead of the number read less the proven', 'ordinary'],
    ['precondition', 'a write does not say which version it was decided on', 'with other leaders and late writes'],
    ['sameNumber', 'a lowering that is on its way is subtracted again', 'with controllers that lag'],
  ];
  it.each(left)(
    'without %s: when %s',
    (safeguard, _, kind) => {
      const { counterexample } = checkHistories({ kind, histories: MOST_HISTORIES, seed: SEED, without: [safeguard] });
      expect(counterexample).toMatch(REMOVES_BUSY);
    },
    LIMIT_MS,
  );
});

it(
  'a pool that is wanted whole keeps cordoned replicas, when nobody tells them to work again',
  () => {
    const { counterexample } = checkHistories({
      kind: 'ordinary',
      histories: 1_000,
      seed: SEED,
      without: ['uncordon'],
    });
    expect(counterexample).toMatch(/is still cordoned after a pass that wants all/);
  },
  LIMIT_MS,
);
