import { describeStep, runCheck } from '../../scripts/check.ts';
import type { Request } from './arguments.ts';
import type { ClusterSession } from './cluster-session.ts';
import { collectDiagnostics } from './diagnostics.ts';
import type { SuiteResult } from './results.ts';
import type { Suite } from './suites.ts';
import { ON_THIS_HOST, runVitestSuite, skipVitestSuite } from './vitest-suite.ts';

/** Suites that run one after the other, with one cluster for those that need one. */
export type LaneRun = Readonly<{
  suites: readonly Suite[];
  cluster: ClusterSession;
  /** Another lane runs at the same time: each line says whose it is. */
  beside?: boolean;
  /** The other lane goes first where both want a processor. */
  yields?: boolean;
}>;

type Context = Readonly<{ request: Request; signal: AbortSignal }>;

/** Runs the suites of a lane, and ends its cluster whatever they came to. */
export async function runLane(lane: LaneRun, context: Context): Promise<SuiteResult[]> {
  const results: SuiteResult[] = [];
  let ending: SuiteResult | undefined;
  try {
    for (const suite of lane.suites) {
      if (context.signal.aborted) break;
      const say = sayOf(suite, lane);
      say(`── ${suite.name} ──`);
      results.push(await guard(suite.name, () => runSuite({ suite, lane, say }, context)));
    }
  } finally {
    ending = await lane.cluster.close();
  }
  return ending === undefined ? results : [...results, ending];
}

type Say = (line: string) => void;

function sayOf({ name }: Suite, { beside = false }: LaneRun): Say {
  const prefix = beside ? `${name.padEnd(11)} │ ` : '';
  return (line) => void process.stdout.write(`${prefix}${line}\n`);
}

type SuiteRun = Readonly<{ suite: Suite; lane: LaneRun; say: Say }>;

async function runSuite({ suite, lane, say }: SuiteRun, { request, signal }: Context): Promise<SuiteResult> {
  if (suite.name === 'check') return runCheckSuite(say);
  const { forVitest } = request;
  const output = { yields: lane.yields, ...(lane.beside === true ? { say } : {}) };
  if (!suite.needsCluster) {
    return runVitestSuite(suite, { forVitest, surroundings: ON_THIS_HOST, signal, ...output });
  }
  const access = await lane.cluster.open();
  if (access.kind === 'cannot') return skipVitestSuite(suite, access.because);
  if (access.kind === 'failed') throw new Error(`there is no cluster to run in: ${access.because}`);
  if (signal.aborted) throw new Error('interrupted');
  const result = await runVitestSuite(suite, { forVitest, surroundings: access.surroundings, signal, ...output });
  if (result.failures.length > 0 && !signal.aborted) {
    const { folder, lastLines } = await collectDiagnostics(access.diagnostics);
    for (const line of lastLines.trimEnd().split('\n')) say(line);
    say(`what the cluster showed after the failure is in ${folder}`);
  }
  return result;
}

/** Each step of the check counts as a test. */
async function runCheckSuite(say: Say): Promise<SuiteResult> {
  const started = performance.now();
  const steps = await runCheck((step) => say(describeStep(step)));
  const failures = steps.filter(({ passed }) => !passed).map(({ name }) => name);
  const passed = steps.length - failures.length;
  return { name: 'check', passed, failures, skips: [], durationMs: performance.now() - started };
}

/** A suite that cannot even start is a failure and stops none of the later ones. */
export async function guard(name: string, run: () => Promise<SuiteResult>): Promise<SuiteResult> {
  const started = performance.now();
  try {
    return await run();
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error);
    return { name, passed: 0, failures: [because], skips: [], durationMs: performance.now() - started };
  }
}
