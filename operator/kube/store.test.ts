import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyOf } from './resources.ts';
import { type Change, createStore, type Projected } from './store.ts';
import { compareVersions, hasReached } from './versions.ts';

type Item = Projected & { owner: string };
const item = fc.record({
  namespace: fc.constantFrom('one', 'two'),
  name: fc.constantFrom('a', 'b', 'c'),
  uid: fc.constantFrom('u1', 'u2'),
  resourceVersion: fc.nat({ max: 5 }).map(String),
  owner: fc.constantFrom('x', 'y', 'z'),
});
type Step = { set: Item } | { remove: string } | { replace: Item[]; namespace: string | undefined };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ set: item }),
  fc.record({ remove: item.map(keyOf) }),
  fc.record({ replace: fc.array(item, { maxLength: 6 }), namespace: fc.constantFrom('one', undefined) }),
);

describe('a store', () => {
  it('has what was put last, finds the same by index, and tells exactly the differences', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const store = createStore<Item>({ owner: ({ owner }) => [owner] });
        const told = new Map<string, Item>();
        const hear = (changes: readonly Change<Item>[]) => {
          for (const { previous, current } of changes) {
            const key = keyOf(current ?? previous);
            expect(told.get(key)).toBe(previous);
            if (current) told.set(key, current);
            else told.delete(key);
          }
        };
        for (const one of steps) {
          if ('set' in one) hear(store.set(one.set));
          else if ('remove' in one) hear(store.remove(one.remove));
          else {
            const inScope = one.replace.filter(({ namespace }) => !one.namespace || namespace === one.namespace);
            hear(store.replace(inScope, one.namespace));
            const held = store.list().filter(({ namespace }) => !one.namespace || namespace === one.namespace);
            expect(new Set(held.map(keyOf))).toEqual(new Set(inScope.map(keyOf)));
          }
        }
        expect(new Set(store.list())).toEqual(new Set(told.values()));
        for (const owner of ['x', 'y', 'z']) {
          const byScan = store.list().filter((held) => held.owner === owner);
          expect(new Set(store.byIndex('owner', owner))).toEqual(new Set(byScan));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('refuses an index that nobody declared, instead of finding nothing', () => {
    expect(() => createStore().byIndex('owner', 'x')).toThrow('no index "owner"');
  });
});

describe('resource versions', () => {
  it('are compared as numbers of any length, and not at all when they are none', () => {
    expect(compareVersions('9', '10')).toBeLessThan(0);
    expect(compareVersions('9007199254740993', '9007199254740992')).toBeGreaterThan(0);
    expect(compareVersions('7', '7')).toBe(0);
    expect(compareVersions('a', '7')).toBeUndefined();
    expect([hasReached('8', '7'), hasReached('6', '7'), hasReached(undefined, '7'), hasReached('a', '7')]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});
