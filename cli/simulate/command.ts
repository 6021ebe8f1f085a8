import { stat, writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { formatDuration } from '../../operator/api/duration.ts';
import { CommandError, messageOf } from '../command-error.ts';
import { ProgressBar, type Screen } from '../terminal.ts';
import { compareRules, toJson } from './comparison.ts';
import { ALL_RULES, parseLength, parseRules, parseSeed, parseShare } from './options.ts';
import { readPoolFile } from './pool-file.ts';
import type { Rule } from './rules/rule.ts';
import { renderReport } from './report/page.ts';
import { renderTable } from './table.ts';
import { readTrace } from './trace.ts';

type Options = Readonly<{
  trace: string;
  pool: string;
  rules: readonly Rule[];
  coldStart: number;
  grace?: number;
  sample: number;
  seed: number;
  json?: true;
  report?: string;
}>;

const FORMATS = `
Trace formats (the first line says which):
  arrival,duration                         seconds, or times; a job's duration in seconds
  TIMESTAMP,ContextTokens,GeneratedTokens  LLM calls as in the Azure LLM inference trace`;

export function simulateCommand(screen: Screen): Command {
  const rules = new Option('--rules <names>', 'which rules to compare').default(
    ALL_RULES,
    ALL_RULES.map(nameOf).join(),
  );
  const coldStart = new Option('--cold-start <duration>', 'from created to ready of a replica').default(30_000, '30s');
  return new Command('simulate')
    .description('Replays a trace of jobs: what would the pool do with it, and what HPA, KEDA and Knative?')
    .requiredOption('--trace <file>', 'the jobs, as CSV')
    .requiredOption('--pool <file>', 'an AgentWorkerPool, as YAML')
    .addOption(rules.argParser(parseRules))
    .addOption(coldStart.argParser(parseLength))
    .option(
      '--grace <duration>',
      'time to finish its jobs for a replica that a rule removes (knative 300s, others 30s)',
      parseLength,
    )
    .option('--sample <share>', 'keep this share of the jobs, above 0 up to 1', parseShare, 1)
    .option('--seed <number>', 'which jobs a sample keeps, and which of equal replicas goes', parseSeed, 1)
    .option('--json', 'print one JSON object in place of the table')
    .option('--report <file>', 'write a page with backlog and replicas of each rule over time')
    .addHelpText('after', FORMATS)
    .action((options: Options) => simulate(options, screen));
}

const nameOf = ({ name }: Rule): string => name;

/** As a shell reads one word. */
const word = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** The command that makes the same report. */
function commandOf({ trace, pool, rules, coldStart, grace, sample, seed }: Options): string {
  const graced = grace === undefined ? '' : ` --grace ${formatDuration(grace)}`;
  return `awp simulate --trace ${word(trace)} --pool ${word(pool)} --rules ${rules.map(nameOf).join()} --cold-start ${formatDuration(coldStart)}${graced} --sample ${sample} --seed ${seed}`;
}

/** A slip of the hand must not cost the trace. Throws `CommandError`. */
async function checkReport({ report, trace, pool }: Options): Promise<void> {
  const there = report === undefined ? undefined : await stat(report).catch(() => undefined);
  if (there === undefined) return;
  for (const file of [trace, pool]) {
    const read = await stat(file).catch(() => undefined);
    if (read?.ino === there.ino && read.dev === there.dev && there.isFile())
      throw new CommandError(`the report would overwrite ${file}, which it is made from: give it another name`);
  }
}

async function writeReport(file: string, page: string): Promise<void> {
  await writeFile(file, page).catch((error: unknown) => {
    throw new CommandError(`the report cannot be written: ${messageOf(error)}`, { cause: error });
  });
}

async function simulate(options: Options, { out, terminal }: Screen): Promise<void> {
  const { seed, sample, rules, coldStart, grace } = options;
  const bar = new ProgressBar(terminal);
  try {
    await checkReport(options);
    const pool = await readPoolFile(options.pool);
    const trace = await readTrace(options.trace, {
      sampling: { share: sample, seed },
      onProgress: (share) => bar.show('reading the trace', share),
    });
    const comparison = compareRules({
      trace,
      pool,
      rules,
      coldStartMs: coldStart,
      ...(grace === undefined ? {} : { graceMs: grace }),
      seed,
      onProgress: (rule, share) => bar.show(rule, share),
    });
    bar.clear();
    if (options.report !== undefined) await writeReport(options.report, renderReport(comparison, commandOf(options)));
    out(options.json === true ? toJson(comparison) : renderTable(comparison));
  } finally {
    bar.clear();
  }
}
