import { expect, it } from 'vitest';
import { SlowPoll } from './slow-poll.ts';

const queue = (name: string) => ({ prefix: 'bull', name });
const pollOf = (count: number) => {
  const poll = new SlowPoll();
  for (let index = 0; index < count; index += 1) {
    poll.join(`ns/${index}`, queue(`${index}`));
    poll.setAsleep(`ns/${index}`, true);
  }
  return poll;
};

it('looks at a hundred pools in one moment, and at the next hundred in another one', () => {
  const poll = pollOf(201);
  expect(poll.companionsOf('ns/0')).toHaveLength(99);
  expect(poll.companionsOf('ns/150')).toHaveLength(99);
  expect(poll.companionsOf('ns/200')).toHaveLength(0);
  for (const now of [0, 7, 12_345, 1_795_566_812_345]) {
    expect(poll.inMs('ns/0', now)).toBe(poll.inMs('ns/99', now));
    expect(Math.abs(poll.inMs('ns/0', now) - poll.inMs('ns/100', now))).toBeGreaterThan(1_000);
    for (const key of ['ns/0', 'ns/100', 'ns/200']) {
      expect(poll.inMs(key, now)).toBeGreaterThan(0);
      expect(poll.inMs(key, now)).toBeLessThanOrEqual(30_000);
    }
  }
});

it('takes along no pool that is awake, has left, or never was there', () => {
  const poll = pollOf(4);
  poll.setAsleep('ns/1', false);
  poll.leave('ns/2');
  poll.setAsleep('ns/9', true);
  expect(poll.companionsOf('ns/0').map(({ poolKey }) => poolKey)).toEqual(['ns/3']);
  expect([poll.isAsleep('ns/0'), poll.isAsleep('ns/1'), poll.isAsleep('ns/2'), poll.isAsleep('ns/9')]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

it('gives the place of a pool that left to the next one, and a pool that joins again keeps its own', () => {
  const poll = pollOf(101);
  poll.join('ns/5', queue('renamed'));
  expect(poll.isAsleep('ns/5')).toBe(true);
  poll.leave('ns/5');
  poll.join('ns/new', queue('new'));
  expect(poll.inMs('ns/new', 5)).toBe(poll.inMs('ns/0', 5));
});
