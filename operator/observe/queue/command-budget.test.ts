import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CommandBudget } from './command-budget.ts';

it('lets no more commands pass in any minute than it says, however they are asked for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 10, max: 600 }),
      fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 50, maxLength: 400 }),
      (perMinute, pauses) => {
        let now = 0;
        const budget = new CommandBudget(perMinute, () => now);
        const sent: number[] = [];
        for (const pause of pauses) {
          now += pause;
          for (let tries = 0; tries < 20 && budget.waitMs() === 0; tries += 1) {
            budget.charge(1);
            sent.push(now);
          }
        }
        for (const from of sent) {
          expect(sent.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(perMinute + 1);
        }
      },
    ),
    { numRuns: 60 },
  );
});

it('says when the next command may be sent, and keeps its word', () => {
  let now = 0;
  const budget = new CommandBudget(120, () => now);
  budget.charge(30);
  const wait = budget.waitMs();
  expect(wait).toBeGreaterThan(0);
  now += wait - 2;
  expect(budget.waitMs()).toBeGreaterThan(0);
  now += 2;
  expect(budget.waitMs()).toBe(0);
});

it('has what a handshake cost paid back before anything else is sent', () => {
  let now = 0;
  const budget = new CommandBudget(10, () => now);
  budget.charge(6);
  now += 20_000;
  expect(budget.waitMs()).toBeGreaterThan(0);
  now += 40_000;
  expect(budget.waitMs()).toBe(0);
});

it('follows a budget that is changed, without giving back what was spent', () => {
  let now = 0;
  const budget = new CommandBudget(10, () => now);
  budget.charge(2.5);
  budget.perMinute = 6_000;
  expect(budget.waitMs()).toBeGreaterThan(0);
  now += 20;
  expect(budget.waitMs()).toBe(0);
});

it.each([
  ['20 events a second', 50],
  ['2 events a second', 500],
  ['1 event a second', 1_000],
])('is shared by the depth, asked first in each pass, and by who works, asked last, under %s', (_, everyMs) => {
  let now = 0;
  const budget = new CommandBudget(120, () => now);
  const answered = { depth: [0], activeJobs: [0] };
  while (now < 300_000) {
    const waitMs = budget.waitMs('depth');
    if (waitMs === 0) {
      // The event that woke the pool was read too.
      budget.charge(2);
      answered.depth.push(now);
    }
    if (budget.waitMs('activeJobs') === 0) {
      budget.charge(1);
      answered.activeJobs.push(now);
    }
    // The next event is waited for, or the moment in which a command may be sent, or the drain looks again.
    now += Math.min(waitMs === 0 ? everyMs : waitMs, 1_000);
  }
  for (const times of [answered.depth, answered.activeJobs]) {
    const gaps = [...times.slice(1), 300_000].map((at, i) => at - (times[i] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(6_000);
  }
});
