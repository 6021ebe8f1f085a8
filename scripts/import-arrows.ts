import { posix } from 'node:path';
import type { SourceFile } from './source-files.ts';

/** One import or re-export as it stands in a file; `typeOnly` when nothing of it is left at run time. */
export type Import = Readonly<{ specifier: string; typeOnly: boolean; line: number }>;

/**
 * What the files of a room may import: their own room, the rooms of `imports` (a room includes what lies below it), of
 * the rooms in `types` only types, and the packages that match `packages`, absent: every package.
 */
type Room = Readonly<{ imports: readonly string[]; types?: readonly string[]; packages?: RegExp; why: string }>;

/** Beside pure functions of Node it has random numbers: the linter lets core have `createHash` alone. */
const DIGEST = /^node:crypto$/;
const NO_QUEUE_PACKAGE = /^(?!bullmq|ioredis)/;
const STAGES = ['operator/core', 'operator/observe', 'operator/act'];
const GROUND = ['operator/kube', 'operator/api', 'operator/telemetry'];

/** The arrows of the layout: main → loop, http → observe, core, act → kube, api. Everyone may be told to telemetry. */
const ROOMS: Readonly<Record<string, Room>> = {
  'operator/main.ts': { imports: ['operator'], why: 'main puts the parts of the operator together' },
  'operator/assembly': { imports: ['operator'], why: 'assembly is the part of main that makes the others' },
  'operator/pool-pass.ts': { imports: [...STAGES, ...GROUND], why: 'a pass goes through the stages' },
  'operator/watch-cluster.ts': {
    imports: ['operator/observe', 'operator/loop', 'operator/config.ts', ...GROUND],
    why: 'the watches feed observe, and start passes',
  },
  'operator/config.ts': { imports: ['operator/api'], why: 'config reads the environment and nothing else' },
  'operator/http': { imports: [...STAGES, ...GROUND], why: 'http shows what the stages know' },
  'operator/loop': {
    imports: ['operator/kube', 'operator/telemetry'],
    packages: NO_QUEUE_PACKAGE,
    why: 'loop knows no domain word',
  },
  'operator/observe': { imports: ['operator/core', ...GROUND], why: 'observe reads; it neither acts nor schedules' },
  'operator/act': {
    imports: ['operator/core', ...GROUND],
    why: 'act carries out a decision; it reads nothing of its own',
  },
  'operator/core': {
    imports: ['operator/api/names.ts', 'operator/api/duration.ts', 'operator/api/schedule.ts'],
    types: ['operator/api'],
    packages: DIGEST,
    why: 'core is pure: it imports core, the names, durations and schedules of the resource and the types of api',
  },
  'operator/kube': { imports: ['operator/telemetry'], packages: NO_QUEUE_PACKAGE, why: 'kube knows no domain word' },
  'operator/api': { imports: [], why: 'api is the resource, and imports none of the operator' },
  'operator/telemetry': { imports: [], why: 'telemetry is told things; it imports none of the operator' },
  worker: { imports: [], packages: /^(?!@kubernetes\/)/, why: 'the worker runtime stands alone' },
  cli: {
    imports: ['operator/api', 'operator/core', 'operator/kube', 'scripts/run.mjs'],
    why: 'the command line shares the resource, the decision and the way to the API server',
  },
};

/** Rooms whose every folder has its own entry above, so that a new folder has to say what it may import. */
const DIVIDED = ['operator'];

/** A unit test may also use its tools and what the other tests share, and the values of the rooms of which its room knows the types. */
const TEST_PACKAGES = /^(?:vitest|fast-check)$/;
const TEST_FOLDER = 'test';

/** Says for each import that goes against the arrows of the layout where it is and which rule it breaks. */
export function findWrongArrows(files: readonly SourceFile[]): string[] {
  return files.filter(({ path }) => /\.(?:ts|mjs)$/.test(path)).flatMap(wrongArrowsOf);
}

function wrongArrowsOf(file: SourceFile): string[] {
  const from = roomOf(file.path);
  const room = from === undefined ? undefined : ROOMS[from];
  if (from === undefined || room === undefined) {
    const divided = DIVIDED.some((folder) => isIn(file.path, folder));
    return divided ? [`${file.path} is in none of the rooms of the layout, which say what may be imported`] : [];
  }
  return parseImports(file.text)
    .filter((each) => !isAllowed(each, { path: file.path, from, room }))
    .map((each) => `${file.path}:${each.line} imports ${each.specifier}: ${room.why}`);
}

type Place = Readonly<{ path: string; from: string; room: Room }>;

function isAllowed({ specifier, typeOnly }: Import, { path, from, room }: Place): boolean {
  const isTest = path.endsWith('.test.ts');
  if (!specifier.startsWith('.')) {
    return room.packages?.test(specifier) !== false || (isTest && TEST_PACKAGES.test(specifier));
  }
  const target = posix.join(posix.dirname(path), specifier);
  if (roomOf(target) === from || room.imports.some((each) => isIn(target, each))) return true;
  if (isTest && isIn(target, TEST_FOLDER)) return true;
  return (typeOnly || isTest) && (room.types ?? []).some((each) => isIn(target, each));
}

const isIn = (path: string, room: string): boolean => path === room || path.startsWith(`${room}/`);

/** The most specific room that holds `path`: a file, `operator/FOLDER` or a folder of the root. */
function roomOf(path: string): string | undefined {
  const [top = '', second = ''] = path.split('/');
  // The test of a file that is a room of its own lies in that room.
  const file = path.replace(/\.test\.ts$/, '.ts');
  if (file in ROOMS) return file;
  return [`${top}/${second}`, top].find((room) => room in ROOMS && isIn(path, room));
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
