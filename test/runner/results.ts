/** A test that did not run, and why. */
export type Skip = Readonly<{ name: string; reason: string }>;

/** What one suite came to: every failure and every test that was left out by name. */
export type SuiteResult = Readonly<{
  name: string;
  passed: number;
  failures: readonly string[];
  skips: readonly Skip[];
  durationMs: number;
}>;

/**
 * The closing lines of a run that took `elapsedMs`: a table of the suites, what was skipped and what failed, and last the
 * three sums.
 */
export function describeResults(results: readonly SuiteResult[], elapsedMs: number): string {
  const sum = (count: (result: SuiteResult) => number) => results.reduce((total, result) => total + count(result), 0);
  const failed = sum(({ failures }) => failures.length);
  const skipped = sum(({ skips }) => skips.length);
  const totals = `${sum(({ passed }) => passed)} passed, ${failed} failed, ${skipped} skipped`;
  return [...table(results, elapsedMs), ...skipLines(results), ...failureLines(results), totals].join('\n');
}

export const hasFailed = (results: readonly SuiteResult[]): boolean =>
  results.length === 0 || results.some(({ failures }) => failures.length > 0);

function table(results: readonly SuiteResult[], elapsedMs: number): string[] {
  const row = (name: string, cells: readonly string[]) =>
    name.padEnd(14) + cells.map((cell, index) => cell.padStart(index === 3 ? 12 : 9)).join('');
  return [
    row('suite', ['passed', 'failed', 'skipped', 'time']),
    ...results.map(({ name, passed, failures, skips, durationMs }) =>
      row(name, [String(passed), String(failures.length), String(skips.length), sayDuration(durationMs)]),
    ),
    row('in all', ['', '', '', sayDuration(elapsedMs)]),
    '',
  ];
}

/** One line for each reason, however many tests it holds back. */
function skipLines(results: readonly SuiteResult[]): string[] {
  const skips = results.flatMap(({ name: suite, skips: list }) => list.map((skip) => ({ ...skip, suite })));
  const groups = Map.groupBy(skips, ({ suite, reason }) => `${suite}: ${reason}`);
  return [...groups].map(([reason, list]) => {
    const which = list.length === 1 ? (list[0]?.name ?? '') : `${list.length} tests`;
    return `skipped: ${which} (${reason})`;
  });
}

const failureLines = (results: readonly SuiteResult[]): string[] =>
  results.flatMap(({ name, failures }) => failures.map((failure) => `failed: ${name}: ${failure}`));

/** `4.1 s`, or `2 min 05 s` from a minute on. */
export function sayDuration(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}
