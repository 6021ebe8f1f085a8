import { posix } from 'node:path';
import type { SourceFile } from './source-files.ts';

/** One import or re-export as it stands in a file; `typeOnly` when nothing of it is left at run time. */
export type Import = Readonly<{ specifier: string; typeOnly: boolean; line: number }>;

/**
 * The rooms of the repository, and the rooms that each may import (itself always). `types` names rooms of which only
 * types may be imported. A package is any bare specifier: `any`, or the list of packages that a room may use.
 */
type Room = Readonly<{
  imports: readonly string[];
  types?: readonly string[];
  packages?: readonly RegExp[];
  why: string;
}>;

const OPERATOR = ['api', 'core', 'observe', 'act', 'kube', 'loop', 'http', 'telemetry'].map(
  (room) => `operator/${room}`,
);

const ROOMS: Readonly<Record<string, Room>> = {
  'operator/main.ts': {
    imports: [...OPERATOR, 'operator/config.ts'],
    why: 'main puts the parts of the operator together',
  },
  'operator/config.ts': { imports: ['operator/api'], why: 'config reads the environment and nothing else' },
  'operator/api': { imports: [], why: 'api is the resource, and imports none of the operator' },
  'operator/core': {
    imports: [],
    types: ['operator/api'],
    packages: [],
    why: 'core is pure: it imports core, and of api only types',
  },
  'operator/observe': {
    imports: ['operator/core', 'operator/kube', 'operator/api', 'operator/telemetry'],
    why: 'observe reads; it neither acts nor schedules',
  },
  'operator/act': {
    imports: ['operator/core', 'operator/kube', 'operator/api', 'operator/telemetry'],
    why: 'act carries out a decision; it reads nothing of its own',
  },
  'operator/kube': { imports: ['operator/telemetry'], why: 'kube knows no domain word' },
  'operator/loop': { imports: ['operator/kube', 'operator/telemetry'], why: 'loop knows no domain word' },
  'operator/http': {
    imports: [
      'operator/core',
      'operator/observe',
      'operator/act',
      'operator/kube',
      'operator/api',
      'operator/telemetry',
    ],
    why: 'http shows what the other parts know',
  },
  'operator/telemetry': { imports: [], why: 'telemetry is told things; it imports none of the operator' },
  worker: { imports: [], why: 'the worker runtime stands alone' },
  cli: {
    imports: ['operator/api', 'operator/core'],
    why: 'the command line shares the resource and the decision only',
  },
};

/** Unit tests may also use their tools and the fixtures. */
const TEST_IMPORTS = ['test/fixtures'];
const TEST_PACKAGES = [/^vitest$/, /^fast-check$/];

/** Says for each import that goes against the arrows of the layout where it is and which rule it breaks. */
export function findWrongArrows(files: readonly SourceFile[]): string[] {
  return files.filter(({ path }) => /\.(?:ts|mjs)$/.test(path)).flatMap(wrongArrowsOf);
}

function wrongArrowsOf(file: SourceFile): string[] {
  const from = roomOf(file.path);
  const room = from === undefined ? undefined : ROOMS[from];
  if (from === undefined || room === undefined) return [];
  const isTest = file.path.endsWith('.test.ts');
  return parseImports(file.text)
    .filter((each) => !isAllowed(each, { file: file.path, from, room, isTest }))
    .map((each) => `${file.path}:${each.line} imports ${each.specifier}: ${room.why}`);
}

type Place = Readonly<{ file: string; from: string; room: Room; isTest: boolean }>;

function isAllowed({ specifier, typeOnly }: Import, { file, from, room, isTest }: Place): boolean {
  if (!specifier.startsWith('.')) {
    const packages = room.packages === undefined ? undefined : [...room.packages, ...(isTest ? TEST_PACKAGES : [])];
    return packages === undefined || packages.some((pattern) => pattern.test(specifier));
  }
  const target = posix.join(posix.dirname(file), specifier);
  const to = roomOf(target) ?? target.split('/').slice(0, -1).join('/');
  if (to === from || room.imports.includes(to)) return true;
  if (isTest && TEST_IMPORTS.some((folder) => target.startsWith(`${folder}/`))) return true;
  return typeOnly && (room.types ?? []).includes(to);
}

/** The most specific room that holds `path`: a file, `operator/FOLDER` or a folder of the root. */
function roomOf(path: string): string | undefined {
  const [top = '', second = ''] = path.split('/');
  if (path in ROOMS) return path;
  return [`${top}/${second}`, top].find((room) => room in ROOMS);
}

const STATEMENT =
  /^[ \t]*(?:import|export)\b(?<type>\s+type\b)?(?<names>[^'"`;=()]*?)(?:\bfrom\s*)?(?<quote>['"])(?<from>[^'"]+)\k<quote>/gm;
const CALL = /\b(?:import|require)\(\s*(?<quote>['"`])(?<from>[^'"`]+)\k<quote>/g;

/**
 * Every import of a TypeScript file, in order of appearance. A scanner of the text is enough because the formatter
 * gives each statement its own line; what stands in a comment or a string literal is at worst reported too much.
 */
export function parseImports(text: string): Import[] {
  const lineOf = (index: number) => text.slice(0, index).split('\n').length;
  const statements = [...text.matchAll(STATEMENT)].map((match) => ({
    specifier: match.groups?.['from'] ?? '',
    typeOnly: match.groups?.['type'] !== undefined || namesAreTypes(match.groups?.['names'] ?? ''),
    line: lineOf(match.index + match[0].search(/\S/)),
  }));
  const calls = [...text.matchAll(CALL)].map((match) => ({
    specifier: match.groups?.['from'] ?? '',
    typeOnly: false,
    line: lineOf(match.index),
  }));
  return [...statements, ...calls].toSorted((a, b) => a.line - b.line);
}

/** `{ type A, type B }`; an empty list of names is an import for its effect. */
function namesAreTypes(names: string): boolean {
  const list = /^\s*\{(?<inner>[^}]*)\}\s*$/.exec(names)?.groups?.['inner'];
  const each = (list ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return each.length > 0 && each.every((name) => name.startsWith('type '));
}
