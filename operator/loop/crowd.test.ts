import { expect, it } from 'vitest';
import { Crowd } from './crowd.ts';

function crowdAt() {
  let now = 0;
  const crowd = new Crowd(() => now);
  return { crowd, pass: (ms: number) => (now += ms) };
}

it('is there while somebody waits', () => {
  const { crowd } = crowdAt();
  expect(crowd.isThere()).toBe(false);
  crowd.note(2);
  expect(crowd.isThere()).toBe(true);
  crowd.note(0);
  expect(crowd.isThere()).toBe(false);
});

it('keeps nobody waiting for longer than twenty seconds, also where it is gone for a moment again and again', () => {
  const { crowd, pass } = crowdAt();
  for (let second = 0; second < 20; second += 1) {
    crowd.note(1);
    expect(crowd.isThere()).toBe(true);
    pass(900);
    crowd.note(0);
    pass(100);
  }
  crowd.note(1);
  expect(crowd.isThere()).toBe(false);
});

it('is a new one when nobody has waited for more than a second', () => {
  const { crowd, pass } = crowdAt();
  crowd.note(1);
  pass(60_000);
  expect(crowd.isThere()).toBe(false);
  crowd.note(0);
  pass(1_001);
  crowd.note(1);
  expect(crowd.isThere()).toBe(true);
});
