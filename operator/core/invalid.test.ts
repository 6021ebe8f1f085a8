import { expect, it } from 'vitest';
import { statusOfInvalid } from './invalid.ts';
import { NOON } from './state.fixture.ts';

it('a pool that this operator cannot read is stalled, with everything that is wrong with it in one sentence', () => {
  const { status, event } = statusOfInvalid({
    generation: 4,
    problems: ['spec.queue.name: has a ":"', 'spec.scaling.targetWait: too long'],
    now: NOON,
  });
  const stalled = status.conditions?.find(({ type }) => type === 'Stalled');
  expect(stalled).toMatchObject({
    status: 'True',
    reason: 'InvalidPool',
    observedGeneration: 4,
    lastTransitionTime: '2026-01-05T12:00:00Z',
  });
  expect(stalled?.message).toBe(
    'the spec cannot be used: spec.queue.name: has a ":"; spec.scaling.targetWait: too long. Correct it; running workers are left as they are',
  );
  expect(status.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('False');
  expect(event).toMatchObject({ type: 'Warning', reason: 'InvalidPool', note: stalled?.message });
});

it('keeps the account of retries of a pool that it cannot read', () => {
  const restarts = { templateHash: 'a', used: 2, left: 1, everReady: true };
  expect(statusOfInvalid({ generation: 4, problems: ['x'], restarts, now: NOON }).status.restarts).toEqual(restarts);
});
