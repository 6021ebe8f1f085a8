import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countRecords } from './records.ts';

const modules = join(import.meta.dirname, '..', '..', 'node_modules');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reporter-'));
  symlinkSync(modules, join(folder, 'node_modules'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs vitest for real on the given test files, and counts what the reporter wrote. */
function countTests(files: Readonly<Record<string, string>>) {
  const header = "import { afterAll, beforeAll, describe, expect, it } from 'vitest';\n";
  for (const [name, body] of Object.entries(files)) writeFileSync(join(folder, name), header + body);
  const recorded = join(folder, 'records');
  const reporter = join(import.meta.dirname, 'reporter.ts');
  const { status, signal } = spawnSync(
    process.execPath,
    [join(modules, 'vitest', 'vitest.mjs'), 'run', '--root', folder, '--reporter', reporter],
    { cwd: folder, env: { ...process.env, RESULTS_FILE: recorded }, stdio: 'ignore' },
  );
  return countRecords(existsSync(recorded) ? readFileSync(recorded, 'utf8') : '', { code: status, signal });
}

describe('what the reporter records of a run of vitest', () => {
  it('is each test by name and outcome, and why one did not run', () => {
    const counts = countTests({
      'a.test.ts': `
        describe('sums', () => {
          it('adds', () => {});
          it('divides', () => expect(1 / 2).toBe(0));
          it('rounds', (ctx) => ctx.skip('no coin to toss'));
        });
        describe('roots', { skip: true, meta: { skippedBecause: 'no ground' } }, () => {
          beforeAll(() => { throw new Error('never called'); });
          describe('deep', () => it('grow', () => {}));
        });`,
      'b.test.ts': `it('alone', () => {});`,
    });
    expect(counts).toEqual({
      passed: 2,
      failures: ['a.test.ts > sums > divides'],
      skips: [
        { name: 'a.test.ts > sums > rounds', reason: 'no coin to toss' },
        { name: 'a.test.ts > roots > deep > grow', reason: 'no ground' },
      ],
    });
  });

  it('is also what fails around the tests: a hook, a file that cannot be loaded, an error that nobody awaits', () => {
    const { failures, skips } = countTests({
      'hook.test.ts': `describe('x', () => { beforeAll(() => { throw new Error('no server'); }); it('a', () => {}); });`,
      'after.test.ts': `afterAll(() => { throw new Error('left open'); }); it('b', () => {});`,
      'load.test.ts': `throw new Error('cannot load');`,
      'late.test.ts': `it('c', async () => {
        void Promise.reject(new Error('too late'));
        await new Promise((resolve) => setTimeout(resolve, 50));
      });`,
    });
    expect(failures.toSorted()).toEqual([
      'after.test.ts: left open',
      'hook.test.ts > x: no server',
      'load.test.ts: cannot load',
      'outside of a test: too late',
    ]);
    expect(skips).toEqual([{ name: 'hook.test.ts > x > a', reason: 'what comes before it has failed' }]);
  });

  it('shows that a run without tests ran nothing', () => {
    expect(countTests({ 'a.test.ts': '' }).failures).toEqual([expect.stringContaining('No test suite found')]);
    rmSync(join(folder, 'records'));
    rmSync(join(folder, 'a.test.ts'));
    expect(countTests({}).failures).toEqual(['no test ran']);
  });
});
