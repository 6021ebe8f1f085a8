import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FetchGate } from './fetch-gate.ts';
import type { HoldReason } from './fetch-gate.ts';

const gateOver = (failures: unknown[] = []) => {
  const calls: string[] = [];
  const gate = new FetchGate(
    {
      stopFetching: async () => {
        calls.push('stop');
        await Promise.resolve();
        if (failures.length > 0) throw failures.shift();
        calls.push('stopped');
      },
      fetchAgain: async () => void calls.push('again'),
    },
    (what) => calls.push(what),
  );
  return { gate, calls };
};

it('stops fetching with the first reason and takes it up again after the last', async () => {
  const { gate, calls } = gateOver();
  await gate.hold('cordoned', 'a');
  await gate.hold('held', 'Supabase is out');
  expect(gate.because('held')).toBe('Supabase is out');
  await gate.release('cordoned');
  expect(calls).toEqual(['stop', 'stopped']);
  await gate.release('held');
  expect(calls).toEqual(['stop', 'stopped', 'again']);
  expect(gate.because('held')).toBeUndefined();
});

it('ends a stop before it undoes it, and does nothing twice', async () => {
  const { gate, calls } = gateOver();
  await Promise.all([gate.hold('cordoned', 'a'), gate.hold('cordoned', 'a')]);
  const again = gate.release('cordoned');
  await Promise.all([again, gate.release('cordoned')]);
  expect(calls).toEqual(['stop', 'stopped', 'again']);
});

it('says that a step failed and goes on with the next', async () => {
  const { gate, calls } = gateOver([new Error('no')]);
  await gate.hold('cordoned', 'a');
  await gate.release('cordoned');
  expect(calls).toEqual(['stop', 'fetching could not be stopped', 'again']);
});

it('fetches in the end exactly when no reason holds, in whatever order they came and went', async () => {
  const reason = fc.constantFrom<HoldReason>('cordoned', 'held', 'stopping');
  const step = fc.record({ reason, holds: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const { gate, calls } = gateOver();
      const wanted = new Set<HoldReason>();
      const done = steps.map(({ reason: each, holds }) => {
        if (holds) wanted.add(each);
        else wanted.delete(each);
        return holds ? gate.hold(each, 'because') : gate.release(each);
      });
      await Promise.all(done);
      const fetching = calls.length === 0 || calls.at(-1) === 'again';
      expect(fetching).toBe(wanted.size === 0);
    }),
  );
});
