import { describe, expect, it } from 'vitest';
import { type Step, type StepResult, command, describeStep, runSteps } from './check.ts';

const passing = { passed: true, output: 'fine' };
const step = (name: string, run: Step['run']): Step => ({ name, run });

describe('the check', () => {
  it('runs every step, whatever the others came to, and keeps their order', async () => {
    const ended: string[] = [];
    const slow = Promise.withResolvers<typeof passing>();
    const steps = [
      step('slow', () => slow.promise),
      step('broken', () => Promise.reject(new Error('no such file'))),
      step('failing', async () => ({ passed: false, output: 'line 3: wrong' })),
      step('last', async () => {
        slow.resolve(passing);
        return passing;
      }),
    ];
    const results = await runSteps(steps, ({ name }) => ended.push(name));
    expect(ended.toSorted()).toEqual(['broken', 'failing', 'last', 'slow']);
    expect(results).toMatchObject([
      { name: 'slow', passed: true },
      { name: 'broken', passed: false, output: 'Error: no such file' },
      { name: 'failing', passed: false, output: 'line 3: wrong' },
      { name: 'last', passed: true },
    ]);
  });

  it('takes a program that ends with another code than 0, or cannot be started, for a failure', async () => {
    expect(await command('node', '-e', 'console.log(1)')()).toEqual({ passed: true, output: '1\n' });
    const failing = "console.error('wrong'); process.exit(2)";
    expect(await command('node', '-e', failing)()).toEqual({ passed: false, output: 'wrong\n' });
    expect(await command('no-such-program')()).toMatchObject({
      passed: false,
      output: expect.stringContaining('no-such-program did not start'),
    });
  });

  it('shows the whole output of what failed, and one line of what passed', () => {
    const result: StepResult = { name: 'lint', passed: false, output: 'a\nb\n', durationMs: 1_540 };
    expect(describeStep(result)).toBe('✗ lint           1.5 s\n    a\n    b\n');
    expect(describeStep({ ...result, passed: true })).toBe('✓ lint           1.5 s');
  });
});
