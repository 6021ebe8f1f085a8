import type { SuiteResult } from './results.ts';

export type RecordedTest = Readonly<{ name: string; state: 'passed' | 'failed' | 'skipped'; note?: string }>;
export type RecordedError = Readonly<{ where: string; message: string }>;

/** A line of the results file that the reporter writes and the runner reads. */
export type VitestRecord =
  | Readonly<{ kind: 'file'; file: string; tests: readonly RecordedTest[]; errors: readonly RecordedError[] }>
  | Readonly<{ kind: 'end'; reason: 'passed' | 'interrupted' | 'failed'; errors: readonly RecordedError[] }>;

type Counts = Omit<SuiteResult, 'name' | 'durationMs'>;

/**
 * Counts what the lines of a results file say. An error around the tests is a failure of its own; so are a run that
 * ended with another code than 0 although nothing failed, one that did not reach its end, and one that ran nothing.
 */
export function countRecords(text: string, exit: Readonly<{ code: number | null; signal: string | null }>): Counts {
  const records = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as VitestRecord);
  const tests = records.flatMap((record) => (record.kind === 'file' ? record.tests : []));
  const errors = records.flatMap(({ errors: found }) => found);
  const failures = [
    ...tests.filter(({ state }) => state === 'failed').map(({ name }) => name),
    ...errors.map(({ where, message }) => `${where}: ${firstLine(message)}`),
  ];
  const how = exit.signal === null ? `exit code ${exit.code}` : exit.signal;
  if (!records.some(({ kind }) => kind === 'end')) failures.push(`vitest ended before its tests had ended (${how})`);
  else if (tests.length === 0 && failures.length === 0) failures.push('no test ran');
  else if (exit.code !== 0 && failures.length === 0) failures.push(`vitest failed and named no test (${how})`);
  return {
    passed: tests.filter(({ state }) => state === 'passed').length,
    failures,
    skips: tests
      .filter(({ state }) => state === 'skipped')
      .map(({ name, note }) => ({ name, reason: note ?? 'no reason given' })),
  };
}

const firstLine = (message: string): string => message.split('\n', 1)[0] ?? '';
