import { ON_REQUEST, SUITES, type Suite } from './suites.ts';

/** What a person asked for on the command line of `npm test`. */
export type Request = Readonly<{
  suites: readonly Suite[];
  /** True when no suite was named: then the suite that runs on request only is counted as skipped. */
  everything: boolean;
  /** A context of the person's kubeconfig to use in place of the embedded cluster. */
  context?: string;
  /** Handed on to vitest: file filters and its own options. */
  forVitest: readonly string[];
}>;

/** The command line cannot be understood; the message says what can be. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const names = SUITES.map(({ name }) => name).join(' | ');
const USAGE = `usage: npm test [-- [--context NAME] [${names} ...] [-- FILE-FILTER | VITEST-OPTION ...]]`;

/** `[--context NAME] [SUITE ...] [-- FILTER ...]`, the options anywhere. Throws UsageError. */
export function parseArguments(argv: readonly string[]): Request {
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  const forVitest = end === -1 ? [] : argv.slice(end + 1);
  const named = new Set<string>();
  let context: string | undefined;
  for (let index = 0; index < own.length; index += 1) {
    const argument = own[index] ?? '';
    if (argument === '--context') {
      index += 1;
      context = own[index];
      if (context === undefined || context === '') throw new UsageError(`--context needs a name\n${USAGE}`);
    } else if (argument.startsWith('--context=') && argument.length > '--context='.length) {
      context = argument.slice('--context='.length);
    } else if (SUITES.some(({ name }) => name === argument)) {
      named.add(argument);
    } else {
      throw new UsageError(`there is no suite "${argument}"\n${USAGE}`);
    }
  }
  const everything = named.size === 0;
  const suites = SUITES.filter(({ name }) => (everything ? name !== ON_REQUEST : named.has(name)));
  return { suites, everything, forVitest, ...(context === undefined ? {} : { context }) };
}
