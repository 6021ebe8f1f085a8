import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { countRecords } from './records.ts';
import type { Skip, SuiteResult } from './results.ts';
import type { Suite } from './suites.ts';

/** Where the tests of a suite run: around their command, and with more environment. */
export type Surroundings = Readonly<{
  wrap: (command: readonly string[]) => readonly string[];
  env: Readonly<Record<string, string>>;
}>;

export const ON_THIS_HOST: Surroundings = { wrap: (command) => command, env: {} };

type Options = Readonly<{
  forVitest: readonly string[];
  surroundings: Surroundings;
  signal: AbortSignal;
  /** What it does is less urgent than what runs beside it, whose tests meet deadlines. */
  yields?: boolean | undefined;
  /** Takes each line of output; without it, the run writes to the terminal itself. */
  say?: ((line: string) => void) | undefined;
}>;

const { priority } = constants;
const root = join(import.meta.dirname, '..', '..');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const reporter = join(import.meta.dirname, 'reporter.ts');

/** Node reads the configuration as it is; by default vitest writes a bundle of it into node_modules at each start. */
const NATIVE_CONFIG = ['--configLoader', 'native'];

/** So long a run that was told to end may take to put its things away. */
const END_GRACE_MS = 20_000;

const LAST_LINES_MS = 2000;

/** Runs one project of vitest with its own output on the terminal or line by line to `say`, and counts what its reporter recorded. */
export async function runVitestSuite(
  suite: Suite,
  { forVitest, surroundings, signal, yields = false, say }: Options,
): Promise<SuiteResult> {
  const started = performance.now();
  return withFolder(async (folder) => {
    const recorded = join(folder, 'records');
    const options = ['--project', suite.name, '--reporter', 'default', '--reporter', reporter, ...forVitest];
    const limit = AbortSignal.timeout(suite.limitMinutes * 60_000);
    const child = start(['run', ...NATIVE_CONFIG, ...options], {
      ...surroundings,
      recorded,
      output: say === undefined ? 'inherit' : 'pipe',
    });
    if (yields && child.pid !== undefined) setPriority(child.pid, priority.PRIORITY_BELOW_NORMAL);
    if (say !== undefined) for (const stream of [child.stdout, child.stderr]) sayLines(stream, say);
    const exit = await endOf(child, AbortSignal.any([signal, limit]));
    const counts = countRecords(existsSync(recorded) ? readFileSync(recorded, 'utf8') : '', exit);
    const late = limit.aborted ? [`took longer than ${suite.limitMinutes} min and was ended`] : [];
    const failures = [...counts.failures, ...late];
    return { name: suite.name, ...counts, failures, durationMs: performance.now() - started };
  });
}

/** The tests of a suite by name, without running them: what it would have run counts as skipped for `reason`. */
export async function skipVitestSuite(suite: Suite, reason: string): Promise<SuiteResult> {
  const started = performance.now();
  return withFolder(async (folder) => {
    const listed = join(folder, 'tests.json');
    const options = ['--project', suite.name, '--passWithNoTests', `--json=${listed}`];
    const child = start(['list', ...NATIVE_CONFIG, ...options], {
      ...ON_THIS_HOST,
      recorded: join(folder, 'records'),
      output: 'ignore',
    });
    const exit = await endOf(child, AbortSignal.timeout(suite.limitMinutes * 60_000));
    const tests = existsSync(listed) ? (JSON.parse(readFileSync(listed, 'utf8')) as { name: string }[]) : [];
    const skips: Skip[] = tests.map(({ name }) => ({ name, reason }));
    const failures = exit.code === 0 ? [] : [`vitest could not list its tests (exit code ${exit.code})`];
    return { name: suite.name, passed: 0, failures, skips, durationMs: performance.now() - started };
  });
}

function sayLines(stream: Readable | null, say: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on('line', say);
}

type StartOptions = Surroundings & Readonly<{ recorded: string; output: 'inherit' | 'ignore' | 'pipe' }>;

function start(options: readonly string[], { wrap, env, recorded, output }: StartOptions): ChildProcess {
  const [program = '', ...programArguments] = wrap([process.execPath, vitest, ...options]);
  return spawn(program, programArguments, {
    cwd: root,
    env: { ...process.env, ...env, RESULTS_FILE: recorded },
    stdio: ['ignore', output, output === 'pipe' ? 'pipe' : 'inherit'],
  });
}

type Exit = Readonly<{ code: number | null; signal: string | null }>;

/** Waits for the end. After `signal`, the process is asked to end, and then made to. */
function endOf(child: ChildProcess, signal: AbortSignal): Promise<Exit> {
  return new Promise((settle, fail) => {
    let force: NodeJS.Timeout | undefined;
    const end = () => {
      child.kill('SIGTERM');
      force = setTimeout(() => child.kill('SIGKILL'), END_GRACE_MS);
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    child.once('error', fail);
    child.once('exit', (code, by) => {
      clearTimeout(force);
      signal.removeEventListener('abort', end);
      // Its last lines may still be on their way; a process that it left behind may hold them open for ever.
      const late = setTimeout(() => settle({ code, signal: by }), LAST_LINES_MS);
      child.once('close', () => {
        clearTimeout(late);
        settle({ code, signal: by });
      });
    });
  });
}

async function withFolder<T>(task: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'agent-worker-pool-test-'));
  try {
    return await task(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
