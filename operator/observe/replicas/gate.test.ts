import { expect, it } from 'vitest';
import { Gate } from './gate.ts';

it('lets no more than its limit run at once, in the order of arrival, whatever fails', async () => {
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
  const all = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => gate.run(() => work(index))));
  expect(most).toBe(3);
  expect(started).toEqual(Array.from({ length: 20 }, (_, index) => index));
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(15);
});
