import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Sleeper, SlowPoll } from './slow-poll.ts';

const queue = (name: string) => ({ prefix: 'bull', name });
const pollOf = (count: number, onDue: (sleepers: readonly Sleeper[]) => void = () => {}) => {
  const poll = new SlowPoll({ now: Date.now, onDue });
  for (let index = 0; index < count; index += 1) {
    poll.join(`ns/${index}`, queue(`${index}`));
    poll.setSleep(`ns/${index}`, 'looks');
  }
  return poll;
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

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
  poll.setSleep('ns/1', 'awake');
  poll.leave('ns/2');
  poll.setSleep('ns/9', 'looks');
  expect(poll.companionsOf('ns/0').map(({ poolKey }) => poolKey)).toEqual(['ns/3']);
  expect(['ns/0', 'ns/1', 'ns/2', 'ns/9'].map((key) => poll.sleepOf(key))).toEqual([
    'looks',
    'awake',
    'awake',
    'awake',
  ]);
});

it('gives the place of a pool that left to the next one, and a pool that joins again keeps its own', () => {
  const poll = pollOf(101);
  poll.join('ns/5', queue('renamed'));
  expect(poll.sleepOf('ns/5')).toBe('looks');
  poll.leave('ns/5');
  poll.join('ns/new', queue('new'));
  expect(poll.inMs('ns/new', 5)).toBe(poll.inMs('ns/0', 5));
});

it('calls those whose readings are compared every half a minute, as long as there are any', () => {
  const due: string[][] = [];
  const poll = pollOf(3, (sleepers) => due.push(sleepers.map(({ poolKey }) => poolKey)));
  vi.advanceTimersByTime(120_000);
  expect(due).toEqual([]);
  poll.setSleep('ns/1', 'compared');
  poll.setSleep('ns/2', 'compared');
  vi.advanceTimersByTime(30_000);
  poll.setSleep('ns/1', 'looks');
  vi.advanceTimersByTime(30_000);
  poll.leave('ns/2');
  vi.advanceTimersByTime(120_000);
  expect(due).toEqual([['ns/1', 'ns/2'], ['ns/2']]);
  expect(vi.getTimerCount()).toBe(0);
  poll.setSleep('ns/0', 'compared');
  poll.close();
  expect(vi.getTimerCount()).toBe(0);
});
