import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createLog } from '../log.ts';
import { FetchGate } from '../queue/fetch-gate.ts';
import type { CheckResult, DependencyMode } from './check.ts';
import { Dependencies } from './dependencies.ts';

const GOOD: CheckResult = { ok: true, latencyMs: 1 };
const OUT: CheckResult = { ok: false, kind: 'Outage', because: 'it answers 503' };
const REFUSED: CheckResult = { ok: false, kind: 'Refused', because: 'it answers 401' };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const create = (modes: readonly DependencyMode[], random = Math.random) => {
  const gate = new FetchGate({ stopFetching: async () => {}, fetchAgain: async () => {} }, () => {});
  const results = modes.map((): CheckResult => GOOD);
  const checkedAt: number[] = [];
  const watched = modes.map((mode, index) => ({
    title: `D${index}`,
    mode,
    check: async () => {
      checkedAt.push(Date.now());
      return results[index] ?? GOOD;
    },
  }));
  const timing = { checkEveryMs: 5_000, checkAgainMs: 1_000, checkMs: 2_000 };
  const log = createLog({ level: 'silent', fields: {} });
  const dependencies = new Dependencies(watched, { gate, log, timing, random });
  return { dependencies, gate, results, checkedAt };
};

it('holds until the first answer, then while a required one is out, and says which', async () => {
  const { dependencies, gate, results } = create(['Required', 'Required']);
  dependencies.start();
  expect(gate.because('held')).toBe('D0 is not checked yet; D1 is not checked yet');
  await vi.advanceTimersByTimeAsync(0);
  expect(gate.because('held')).toBeUndefined();
  results[1] = OUT;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(gate.because('held')).toBe('it answers 503');
  results[1] = GOOD;
  await vi.advanceTimersByTimeAsync(1_500);
  expect(gate.because('held')).toBeUndefined();
});

it.each([
  ['Required', REFUSED],
  ['Optional', OUT],
] as const)('does not hold when a dependency that is %s gives %j', async (mode, result) => {
  const { dependencies, gate, results } = create([mode]);
  results[0] = result;
  dependencies.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(gate.because('held')).toBeUndefined();
  expect(dependencies.report('D0')).toMatchObject({ mode, connected: false, error: result.ok ? '' : result.because });
});

it('checks nothing that is off', async () => {
  const { dependencies, checkedAt } = create(['Off']);
  dependencies.start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([checkedAt, dependencies.report('D0')]).toEqual([[], undefined]);
});

it.each([0, 0.5, 0.999])(
  'is never older than 5 s while all is well, and not in step with others (%d)',
  async (random) => {
    const { dependencies, checkedAt } = create(['Required'], () => random);
    dependencies.start();
    await vi.advanceTimersByTimeAsync(60_000);
    const gaps = checkedAt.slice(1).map((at, index) => at - (checkedAt[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_000);
    expect(new Set(gaps)).toEqual(new Set([Math.floor(3_500 + 1_500 * random)]));
    dependencies.stop();
    const before = checkedAt.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(checkedAt).toHaveLength(before);
  },
);
