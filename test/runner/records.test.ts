import { describe, expect, it } from 'vitest';
import { countRecords, type RecordedTest, type VitestRecord } from './records.ts';

const OK = { code: 0, signal: null };
const FAILED = { code: 1, signal: null };

const lines = (...records: VitestRecord[]) => records.map((record) => `${JSON.stringify(record)}\n`).join('');
const file = (...tests: RecordedTest[]): VitestRecord => ({ kind: 'file', file: 'a.test.ts', tests, errors: [] });
const end: VitestRecord = { kind: 'end', reason: 'passed', errors: [] };
const passed: RecordedTest = { name: 'a.test.ts > adds', state: 'passed' };
const failed: RecordedTest = { name: 'a.test.ts > divides', state: 'failed' };

describe('counting the tests of a run', () => {
  it('counts over all files, names what failed, and keeps the reason of what was skipped', () => {
    const skipped: RecordedTest = { name: 'a.test.ts > multiplies', state: 'skipped', note: 'no Docker engine' };
    const text = lines(file(passed, failed), file(passed, skipped, { name: 'b', state: 'skipped' }), end);
    expect(countRecords(text, FAILED)).toEqual({
      passed: 2,
      failures: ['a.test.ts > divides'],
      skips: [
        { name: 'a.test.ts > multiplies', reason: 'no Docker engine' },
        { name: 'b', reason: 'no reason given' },
      ],
    });
  });

  it('counts an error around the tests as a failure', () => {
    const broken: VitestRecord = {
      kind: 'file',
      file: 'a.test.ts',
      tests: [],
      errors: [{ where: 'a.test.ts', message: 'cannot load\nat line 3' }],
    };
    const unhandled: VitestRecord = { kind: 'end', reason: 'failed', errors: [{ where: 'outside', message: 'late' }] };
    expect(countRecords(lines(broken, unhandled), FAILED).failures).toEqual([
      'a.test.ts: cannot load',
      'outside: late',
    ]);
  });

  it('takes a run that died for a failure and still counts what it did', () => {
    const died = countRecords(lines(file(passed)), { code: null, signal: 'SIGKILL' });
    expect(died).toMatchObject({ passed: 1, failures: ['vitest ended before its tests had ended (SIGKILL)'] });
    expect(countRecords('', FAILED).failures).toEqual(['vitest ended before its tests had ended (exit code 1)']);
  });

  it('takes a run that ran nothing for a failure', () => {
    expect(countRecords(lines(end), OK).failures).toEqual(['no test ran']);
  });

  it('believes the exit code when no test says why', () => {
    expect(countRecords(lines(file(passed), end), FAILED).failures).toEqual([
      'vitest failed and named no test (exit code 1)',
    ]);
    expect(countRecords(lines(file(passed), end), OK).failures).toEqual([]);
  });
});
