// `npm test`: every suite, and one count over all of them.
import { ToolUnavailable, acquire } from '../cluster/binaries/acquire.ts';
import { redis, type Tool } from '../cluster/binaries/catalog.ts';
import { onStderr } from '../cluster/progress.ts';
import { actionlint, docker, helm, helmUnittest, lua } from '../tools/catalog.ts';
import { type Request, UsageError, parseArguments } from './arguments.ts';
import { embeddedCluster } from './cluster-session.ts';
import { foreignCluster } from './foreign-cluster.ts';
import { guard, type LaneRun, runLane } from './lane.ts';
import { type SuiteResult, describeResults, hasFailed } from './results.ts';
import { LANES, ON_REQUEST, ON_REQUEST_REASON, SUITES, type Suite, type SuiteName } from './suites.ts';
import { skipVitestSuite } from './vitest-suite.ts';

const say = (line: string) => process.stdout.write(`${line}\n`);

/** What tests use besides a cluster, by suite, and what happens where one of them cannot be had. */
const TOOLS: readonly Readonly<{ suites: readonly SuiteName[]; tools: readonly Tool[]; otherwise: string }>[] = [
  {
    suites: ['unit', 'contract', 'integration', 'load', 'e2e', 'long'],
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

async function runSuites(request: Request, signal: AbortSignal): Promise<SuiteResult[]> {
  await prepareTools(request.suites);
  const results = (await Promise.all(lanesOf(request).map((lane) => runLane(lane, { request, signal })))).flat();
  if (request.everything && !signal.aborted) {
    const suite = SUITES.find(({ name }) => name === ON_REQUEST);
    const skipped = suite && (await guard(suite.name, () => skipVitestSuite(suite, ON_REQUEST_REASON)));
    if (skipped && skipped.skips.length + skipped.failures.length > 0) results.push(skipped);
  }
  return results.toSorted((a, b) => orderOf(a) - orderOf(b));
}

/** Clusters come after the suites, of which there is one for each name. */
function orderOf({ name }: SuiteResult): number {
  const order = SUITES.findIndex((suite) => suite.name === name);
  return order === -1 ? SUITES.length : order;
}

/** Somebody's own cluster is one: there everything runs one after the other. */
function lanesOf({ suites, context }: Request): readonly LaneRun[] {
  if (context !== undefined) return [{ suites, cluster: foreignCluster(context) }];
  const lanes = LANES.map((lane) => ({ lane, suites: suites.filter((suite) => suite.lane === lane) }));
  const used = lanes.filter((lane) => lane.suites.length > 0);
  return used.map(({ lane, suites: own }) => ({
    suites: own,
    cluster: embeddedCluster(lane),
    // Where nothing runs beside it, a suite writes as it likes, in colour.
    ...(used.length === 1 ? {} : { beside: true, yields: lane !== 'e2e' }),
  }));
}
async function main(): Promise<number> {
  const request = parseArguments(process.argv.slice(2));
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interrupt.abort(new Error(signal)));
  const started = performance.now();
  const results = await runSuites(request, interrupt.signal);
  const closing = describeResults(results, performance.now() - started);
  say(`\n${interrupt.signal.aborted ? 'interrupted\n' : ''}${closing}`);
  if (interrupt.signal.aborted) return 130;
  return hasFailed(results) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
