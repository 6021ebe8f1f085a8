import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isEarlier } from './stream-id.ts';
import { covers, WatchSet } from './watch-set.ts';

describe('ids of a stream', () => {
  it('are ordered by time, then by sequence, as 64-bit numbers', () => {
    const part = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(part, part, part, part, (a, b, c, d) => {
        expect(isEarlier(`${a}-${b}`, `${c}-${d}`)).toBe(a < c || (a === c && b < d));
      }),
    );
    expect(isEarlier('5-9', '5-10')).toBe(true);
    expect(isEarlier('5', '5-1')).toBe(true);
  });
});

describe('the pools that wait for an event', () => {
  const setOf = (...watches: [poolKey: string, stream: string, tip: string][]) => {
    const set = new WatchSet();
    for (const [poolKey, stream, tip] of watches) set.set({ poolKey, stream, tip });
    return set;
  };

  it('are read from the earliest tip of each stream', () => {
    const set = setOf(['a', 's', '7-0'], ['b', 's', '5-0'], ['c', 't', '0-0']);
    expect([...set.streams(0)]).toEqual([
      ['s', '5-0'],
      ['t', '0-0'],
    ]);
  });

  it('are woken once, by an entry behind their own tip', () => {
    const set = setOf(['a', 's', '7-0'], ['b', 's', '5-0'], ['c', 't', '0-0']);
    expect(set.take(new Map([['s', '6-0']]), 0)).toEqual(['b']);
    expect(set.take(new Map([['s', '8-0']]), 0)).toEqual(['a']);
    expect(set.take(new Map([['s', '9-0']]), 0)).toEqual([]);
    expect(set.takeAll()).toEqual(['c']);
    expect(set.size).toBe(0);
  });

  it('are left out while they rest, and then heard from where they were', () => {
    const set = setOf(['a', 's', '7-0']);
    set.rest('a', 100);
    set.set({ poolKey: 'a', stream: 's', tip: '8-0' });
    expect(set.streams(99).size).toBe(0);
    expect(set.take(new Map([['s', '9-0']]), 99)).toEqual([]);
    expect(set.nextWakeUp(99)).toBe(100);
    expect([...set.streams(100)]).toEqual([['s', '8-0']]);
    expect(set.nextWakeUp(100)).toBeUndefined();
    expect(set.take(new Map([['s', '9-0']]), 100)).toEqual(['a']);
  });

  it('do not rest any more once that is forgotten', () => {
    const set = setOf(['a', 's', '7-0']);
    set.rest('a', 100);
    set.forgetRest('a');
    expect(set.streams(0).size).toBe(1);
  });

  it('need no new read when the one under way hears all that they ask for', () => {
    const blocked = new Map([
      ['s', '5-0'],
      ['t', '1-0'],
    ]);
    expect(covers(blocked, new Map([['s', '5-0']]))).toBe(true);
    expect(covers(blocked, new Map([['s', '6-0']]))).toBe(true);
    expect(covers(blocked, new Map([['s', '4-0']]))).toBe(false);
    expect(covers(blocked, new Map([['u', '9-0']]))).toBe(false);
  });
});
