// `npm run check`: everything that can be said about the source without running the product.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { findBreaches } from './house-rules.ts';
import { readSourceFiles } from './source-files.ts';

/** The outcome of one step; `output` is everything that it printed. */
export type StepResult = Readonly<{ name: string; passed: boolean; output: string; durationMs: number }>;

type Outcome = Pick<StepResult, 'passed' | 'output'>;

/** One question to the source; it fails when `run` rejects, too. */
export type Step = Readonly<{ name: string; run: () => Promise<Outcome> }>;

const root = join(import.meta.dirname, '..');

/** The longest first, so that two at a time end early. */
const STEPS: readonly Step[] = [
  { name: 'lint', run: command('oxlint', '--type-aware', '--deny-warnings') },
  { name: 'unused', run: command('knip', '--no-progress', '--treat-config-hints-as-errors') },
  { name: 'types', run: command('tsc', '--noEmit', '--pretty', 'false') },
  { name: 'generated', run: command('node', 'scripts/generate.ts', '--check') },
  { name: 'format', run: command('biome', 'format', '.') },
  { name: 'house rules', run: houseRules },
];

/** Two cores are the least that the project is worked on with; the tools bring threads of their own. */
const AT_ONCE = 2;

/** Asks every question about this checkout. */
export const runCheck = (onResult: (result: StepResult) => void): Promise<StepResult[]> => runSteps(STEPS, onResult);

/** Runs every step, tells `onResult` about each as it ends, and resolves to all results in the order of the steps. */
export async function runSteps(steps: readonly Step[], onResult: (result: StepResult) => void): Promise<StepResult[]> {
  const results = new Map<Step, StepResult>();
  const queue = [...steps];
  const takeSteps = async () => {
    for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
      const started = performance.now();
      const outcome = await step.run().catch((error: unknown) => ({ passed: false, output: String(error) }));
      const result = { name: step.name, ...outcome, durationMs: performance.now() - started };
      results.set(step, result);
      onResult(result);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, takeSteps));
  return steps.flatMap((step) => results.get(step) ?? []);
}

/** One line for a step that passed; a failed one shows everything that it printed. */
export function describeStep({ name, passed, output, durationMs }: StepResult): string {
  const line = `${passed ? '✓' : '✗'} ${name.padEnd(12)} ${(durationMs / 1000).toFixed(1).padStart(5)} s`;
  return passed ? line : `${line}\n${output.trimEnd().replaceAll(/^/gm, '    ')}\n`;
}

/** A step that runs a program from node_modules/.bin; it passes when the program ends with 0. */
export function command(program: string, ...programArguments: string[]): Step['run'] {
  return () =>
    new Promise((settle) => {
      const child = spawn(join(root, 'node_modules', '.bin', program), programArguments, {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const chunks: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
      child.once('error', (error) => settle({ passed: false, output: `${program} did not start: ${error.message}` }));
      child.once('close', (code, signal) => {
        const output = Buffer.concat(chunks).toString();
        settle({
          passed: code === 0,
          output: signal === null ? output : `${output}\n${program} was ended by ${signal}`,
        });
      });
    });
}

async function houseRules(): Promise<Outcome> {
  const breaches = findBreaches(readSourceFiles(root));
  return { passed: breaches.length === 0, output: breaches.join('\n') };
}

if (import.meta.main) {
  const started = performance.now();
  const results = await runCheck((result) => console.log(describeStep(result)));
  const failed = results.filter((result) => !result.passed).length;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${results.length - failed} passed, ${failed} failed in ${seconds} s`);
  process.exitCode = failed === 0 ? 0 : 1;
}
