// `npm test`: every suite, one after the other, and one count over all of them.
import { describeStep, runCheck } from '../../scripts/check.ts';
import { ToolUnavailable, acquire } from '../cluster/binaries/acquire.ts';
import { redis, type Tool } from '../cluster/binaries/catalog.ts';
import { onStderr } from '../cluster/progress.ts';
import { actionlint, docker, helm, helmUnittest, lua } from '../tools/catalog.ts';
import { type Request, UsageError, parseArguments } from './arguments.ts';
import { type ClusterSession, embeddedCluster } from './cluster-session.ts';
import { collectDiagnostics } from './diagnostics.ts';
import { foreignCluster } from './foreign-cluster.ts';
import { type SuiteResult, describeResults, hasFailed } from './results.ts';
import { ON_REQUEST, ON_REQUEST_REASON, SUITES, type Suite, type SuiteName } from './suites.ts';
import { ON_THIS_HOST, runVitestSuite, skipVitestSuite } from './vitest-suite.ts';

const say = (line: string) => process.stdout.write(`${line}\n`);

type Run = Readonly<{ request: Request; cluster: ClusterSession; signal: AbortSignal }>;

/** What tests use besides a cluster, by suite, and what happens where one of them cannot be had. */
const TOOLS: readonly Readonly<{ suites: readonly SuiteName[]; tools: readonly Tool[]; otherwise: string }>[] = [
  {
    suites: ['unit', 'contract', 'integration', 'e2e', 'long'],
    tools: [redis],
    otherwise: 'Without it, the tests that need Redis ask a Docker engine.',
  },
  {
    suites: ['integration', 'e2e'],
    tools: [helm, helmUnittest, actionlint, lua, docker],
    otherwise: 'Without it, the tests that need it are skipped.',
  },
];

/** Fetched before the first test that needs it: in a test, a download or a build would be taken for a hang. */
async function prepareTools(wanted: readonly Suite[]): Promise<void> {
  for (const { suites, tools, otherwise } of TOOLS) {
    if (!wanted.some(({ name }) => suites.includes(name))) continue;
    for (const tool of tools) await prepare(tool, otherwise);
  }
}

async function prepare(tool: Tool, otherwise: string): Promise<void> {
  try {
    await acquire(tool, onStderr());
  } catch (error) {
    if (!(error instanceof ToolUnavailable)) throw error;
    say(`${error.message}\n${otherwise}`);
  }
}

async function runSuites({ request, cluster, signal }: Run): Promise<SuiteResult[]> {
  const results: SuiteResult[] = [];
  await prepareTools(request.suites);
  for (const suite of request.suites) {
    if (signal.aborted) break;
    say(`\n── ${suite.name} ──`);
    results.push(await guard(suite.name, () => runSuite(suite, { request, cluster, signal })));
  }
  if (request.everything && !signal.aborted) {
    const suite = SUITES.find(({ name }) => name === ON_REQUEST);
    const skipped = suite && (await guard(suite.name, () => skipVitestSuite(suite, ON_REQUEST_REASON)));
    if (skipped && skipped.skips.length + skipped.failures.length > 0) results.push(skipped);
  }
  return results;
}

async function runSuite(suite: Suite, { request, cluster, signal }: Run): Promise<SuiteResult> {
  const { forVitest } = request;
  if (suite.name === 'check') return runCheckSuite();
  if (!suite.needsCluster) return runVitestSuite(suite, { forVitest, surroundings: ON_THIS_HOST, signal });
  const access = await cluster.open();
  if (access.kind === 'cannot') return skipVitestSuite(suite, access.because);
  if (access.kind === 'failed') throw new Error(`there is no cluster to run in: ${access.because}`);
  if (signal.aborted) throw new Error('interrupted');
  const result = await runVitestSuite(suite, { forVitest, surroundings: access.surroundings, signal });
  if (result.failures.length > 0 && !signal.aborted) {
    const { folder, lastLines } = await collectDiagnostics(access.diagnostics);
    say(`${lastLines}what the cluster showed after the failure is in ${folder}`);
  }
  return result;
}

/** Each step of the check counts as a test. */
async function runCheckSuite(): Promise<SuiteResult> {
  const started = performance.now();
  const steps = await runCheck((step) => say(describeStep(step)));
  const failures = steps.filter(({ passed }) => !passed).map(({ name }) => name);
  const passed = steps.length - failures.length;
  return { name: 'check', passed, failures, skips: [], durationMs: performance.now() - started };
}

/** A suite that cannot even start is a failure and stops none of the later ones. */
async function guard(name: string, run: () => Promise<SuiteResult>): Promise<SuiteResult> {
  const started = performance.now();
  try {
    return await run();
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error);
    return { name, passed: 0, failures: [because], skips: [], durationMs: performance.now() - started };
  }
}

async function main(): Promise<number> {
  const request = parseArguments(process.argv.slice(2));
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interrupt.abort(new Error(signal)));
  const cluster = request.context === undefined ? embeddedCluster() : foreignCluster(request.context);
  let results: SuiteResult[] = [];
  let ending: SuiteResult | undefined;
  try {
    results = await runSuites({ request, cluster, signal: interrupt.signal });
  } finally {
    ending = await cluster.close();
  }
  const all = ending === undefined ? results : [...results, ending];
  say(`\n${interrupt.signal.aborted ? 'interrupted\n' : ''}${describeResults(all)}`);
  if (interrupt.signal.aborted) return 130;
  return hasFailed(all) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
