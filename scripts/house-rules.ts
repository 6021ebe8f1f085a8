import { findWrongArrows } from './import-arrows.ts';
import type { SourceFile } from './source-files.ts';

/** A line of text that no file of the repository may have. The patterns are written so that they do not match here. */
type ForbiddenText = Readonly<{ pattern: RegExp; where: RegExp; why: string }>;

const ANY_FILE = /./;
const TYPESCRIPT = /\.ts$/;

const FORBIDDEN: readonly ForbiddenText[] = [
  {
    pattern: /(?<![\w.~}:-])\/(?:work|root|home\/[a-z]\w*|Users\/\w+)\//,
    where: ANY_FILE,
    why: 'a path of one machine: take it from the environment or from the file itself',
  },
  {
    pattern: /\b(?:TO{1}DO|FIX{1}ME|X{3}|HA{1}CK)\b/,
    where: ANY_FILE,
    why: 'a mark for later: do it, or open an issue',
  },
  {
    pattern: /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.(?:only|skip|todo|runIf|skipIf)\b/,
    where: TYPESCRIPT,
    why: 'a test that is left out, or leaves out the others',
  },
  {
    pattern: /\bMath\.random\b/,
    where: /^operator\/core\/(?!.*\.test\.ts$)/,
    why: 'not pure: core is told every random number',
  },
];

/** Commands that the README has to name. */
const README_COMMANDS = ['npm run demo', 'npm test'];

/** Every breach of a rule of the house that no linter knows, as `path:line message`. */
export function findBreaches(files: readonly SourceFile[]): string[] {
  return [...files.flatMap(forbiddenTextIn), ...missingFromReadme(files), ...findWrongArrows(files)];
}

function forbiddenTextIn({ path, text }: SourceFile): string[] {
  return FORBIDDEN.filter(({ where }) => where.test(path)).flatMap(({ pattern, why }) =>
    text.split('\n').flatMap((line, index) => {
      const found = pattern.exec(line);
      return found === null ? [] : [`${path}:${index + 1} "${found[0]}" is ${why}`];
    }),
  );
}

function missingFromReadme(files: readonly SourceFile[]): string[] {
  const readme = files.find(({ path }) => path === 'README.md')?.text ?? '';
  return README_COMMANDS.filter((command) => !readme.includes(command)).map(
    (command) => `README.md does not name the command \`${command}\``,
  );
}
