import { expect, it } from 'vitest';
import { Gate } from './gate.ts';

it('lets no more than its limit run at once, in the order of arrival, whatever fails and whoever comes later', async () => {
  const gate = new Gate(3);
  let running = 0;
  let most = 0;
  const started: number[] = [];
  const work = async (index: number) => {
    running += 1;
    most = Math.max(most, running);
    started.push(index);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (index % 4 === 0) throw new Error(`${index}`);
    return index;
  };
  const enter = (from: number, count: number) =>
    Promise.allSettled(Array.from({ length: count }, (_, index) => gate.run(() => work(from + index))));
  const first = enter(0, 8);
  for (let turns = 0; turns < 2; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  const all = [...(await Promise.all([first, enter(8, 8)])).flat(), ...(await enter(16, 4))];
  expect(most).toBe(3);
  expect(started).toEqual(Array.from({ length: 20 }, (_, index) => index));
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(15);
});
