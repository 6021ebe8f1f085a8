import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { greatest, greatestLeavesAt, remember, type WantedEntry } from './window.ts';

const WINDOW = 60_000;
const after = (steps: readonly (readonly [seconds: number, wanted: number])[]): readonly WantedEntry[] =>
  steps.reduce<readonly WantedEntry[]>(
    (window, [at, wanted]) => remember(window, { at: at * 1000, wanted }, WINDOW),
    [],
  );

describe('the window of wanted numbers', () => {
  it('holds the greatest number until a whole window has passed without it', () => {
    expect(
      greatest(
        after([
          [0, 3],
          [10, 9],
          [20, 1],
          [69, 1],
        ]),
      ),
    ).toBe(9);
    expect(
      greatest(
        after([
          [0, 3],
          [10, 9],
          [20, 1],
          [81, 1],
        ]),
      ),
    ).toBe(1);
  });

  it('counts a number as wanted until the next one, however rarely it looks', () => {
    expect(
      greatest(
        after([
          [0, 9],
          [100, 1],
        ]),
      ),
    ).toBe(9);
  });

  it('says when the greatest number leaves', () => {
    expect(
      greatestLeavesAt(
        after([
          [0, 9],
          [10, 2],
        ]),
        WINDOW,
      ),
    ).toBe(70_000);
    expect(greatestLeavesAt(after([[0, 9]]), WINDOW)).toBeUndefined();
  });

  it('never forgets what a plain list of the last window would know', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 50 })), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, (list) => {
        let at = 0;
        let window: readonly WantedEntry[] = [];
        const all: WantedEntry[] = [];
        for (const [gap, wanted] of list) {
          at += gap * 1000;
          all.push({ at, wanted });
          window = remember(window, { at, wanted }, WINDOW);
          const plain = Math.max(...all.filter((entry) => entry.at > at - WINDOW).map((entry) => entry.wanted));
          expect(greatest(window)).toBeGreaterThanOrEqual(plain);
          expect(window.length).toBeLessThanOrEqual(52);
        }
      }),
    );
  });
});
