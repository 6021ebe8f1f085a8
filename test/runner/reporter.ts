import { appendFileSync } from 'node:fs';
import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule, TestRunEndReason, TestSuite } from 'vitest/node';
import type { RecordedError, RecordedTest, VitestRecord } from './records.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** Why a whole `describe` is left out: unlike a test, it cannot say so when it is its turn. */
    skippedBecause?: string;
  }
}

/**
 * A reporter of vitest that writes one JSON line for each test file as it ends, and one for the end of the run, to the
 * file that RESULTS_FILE names. A run that dies has so counted what it did, and misses the line of its end.
 */
export default class RecordingReporter implements Reporter {
  onTestModuleEnd(module: TestModule): void {
    write({
      kind: 'file',
      file: module.relativeModuleId,
      tests: [...module.children.allTests()].map(recordTest),
      errors: [...recordErrors(module), ...[...module.children.allSuites()].flatMap(recordErrors)],
    });
  }

  onTestRunEnd(_modules: unknown, unhandled: readonly SerializedError[], reason: TestRunEndReason): void {
    write({ kind: 'end', reason, errors: unhandled.map(({ message }) => ({ where: 'outside of a test', message })) });
  }
}

function recordTest(test: TestCase): RecordedTest {
  const result = test.result();
  const name = `${test.module.relativeModuleId} > ${test.fullName}`;
  if (result.state === 'skipped') {
    const left = test.options.mode === 'run' ? 'what comes before it has failed' : undefined;
    const note = result.note ?? test.meta().skippedBecause ?? left;
    return { name, state: 'skipped', ...(note === undefined ? {} : { note }) };
  }
  return { name, state: result.state === 'passed' ? 'passed' : 'failed' };
}

/** What failed around the tests: loading the file, or a hook that runs once. */
function recordErrors(around: TestModule | TestSuite): RecordedError[] {
  const where =
    around.type === 'module' ? around.relativeModuleId : `${around.module.relativeModuleId} > ${around.fullName}`;
  return around.errors().map(({ message }) => ({ where, message }));
}

function write(record: VitestRecord): void {
  const file = process.env['RESULTS_FILE'];
  if (file === undefined) throw new Error('RESULTS_FILE is not set: this reporter belongs to `npm test`');
  appendFileSync(file, `${JSON.stringify(record)}\n`);
}
