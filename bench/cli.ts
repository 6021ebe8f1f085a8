// `npm run -s bench -- NAME`: a table on stderr, and one JSON object on stdout.
import { Console } from 'node:console';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type Bench,
  BenchError,
  type BenchReport,
  currentCommit,
  describeMachine,
  describeMetrics,
  runBench,
} from './harness.ts';

const NOT_A_BENCH = new Set(['cli.ts', 'harness.ts', 'many-pools.ts', 'plain-deployments.ts', 'redis-commands.ts']);

const say = (line: string) => process.stderr.write(`${line}\n`);

/** The names of the benches: every file of the folder that is neither a test nor the harness. */
function benchesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !NOT_A_BENCH.has(file))
    .map((file) => file.slice(0, -'.ts'.length))
    .toSorted();
}

async function load(folder: string, name: string): Promise<Bench> {
  const file = join(folder, `${name}.ts`);
  const module = (await import(pathToFileURL(file).href)) as { bench?: Bench };
  if (module.bench?.name !== name) throw new BenchError(`bench/${name}.ts has to export a \`bench\` of that name`);
  return module.bench;
}

async function main(argv: readonly string[]): Promise<number> {
  const folder = import.meta.dirname;
  const names = benchesIn(folder);
  const [name, ...rest] = argv;
  if (name === undefined) {
    say(`usage: npm run -s bench -- NAME\nbenches: ${names.join(', ')}`);
    return 0;
  }
  if (!names.includes(name) || rest.length > 0) {
    say(
      rest.length > 0 ? `unexpected: ${rest.join(' ')}` : `there is no bench "${name}"; there are: ${names.join(', ')}`,
    );
    return 1;
  }
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort(new Error(signal)));
  const metrics = await runBench(await load(folder, name), { say, signal: interrupt.signal });
  if (interrupt.signal.aborted) throw new BenchError('interrupted');
  const report: BenchReport = { bench: name, commit: currentCommit(folder), machine: describeMachine(), metrics };
  say(describeMetrics(metrics));
  process.stdout.write(`${JSON.stringify(report)}\n`);
  return 0;
}

// Whatever a bench or a library prints would spoil the JSON on stdout.
globalThis.console = new Console(process.stderr, process.stderr);
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof BenchError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
