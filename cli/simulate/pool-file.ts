import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import { KIND } from '../../operator/api/names.ts';
import { type Pool, parsePool } from '../../operator/api/parse.ts';
import { poolResource } from '../../operator/api/pool.ts';
import { CommandError, messageOf } from '../command-error.ts';

/** What only an API server gives an object; a pool from a file has none of it yet. */
const AS_STORED = {
  namespace: 'default',
  uid: 'simulated',
  generation: 1,
  resourceVersion: '1',
  creationTimestamp: '2026-01-05T00:00:00Z',
};

/** The pool of a YAML or JSON file, defaults applied; other objects in the file are passed over. */
export async function readPoolFile(file: string): Promise<Pool> {
  const found = (await readDocuments(file)).filter(isPool);
  const [only] = found;
  if (only === undefined) throw new CommandError(`${file} has no object of kind ${KIND}`);
  if (found.length > 1)
    throw new CommandError(`${file} has ${found.length} pools: put the one to simulate into a file`);
  const name = only.metadata?.['name'];
  if (typeof name !== 'string' || name === '') throw new CommandError(`${file}: metadata.name is missing`);
  const { status: _old, ...pool } = only;
  const raw = { ...pool, metadata: { ...AS_STORED, ...only.metadata } };
  const parsed = parsePool(raw);
  const problems = parsed.ok ? unknownFields(raw).map((field) => `${field}: there is no such field`) : parsed.problems;
  if (!parsed.ok || problems.length > 0) {
    throw new CommandError(`${file} is not a valid pool:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
  return parsed.pool;
}

/** Fields that the schema does not know, which `kubectl apply` refuses too: a misspelt one would keep its default. */
function unknownFields(raw: unknown): string[] {
  const parsed = poolResource.safeParse(raw);
  return parsed.success ? missingFrom(parsed.data, raw, '') : [];
}

function missingFrom(parsed: unknown, raw: unknown, path: string): string[] {
  if (!isObject(raw) || !isObject(parsed)) return [];
  return Object.entries(raw).flatMap(([key, value]) => {
    const field = path === '' ? key : `${path}.${key}`;
    return key in parsed ? missingFrom(parsed[key], value, field) : [field];
  });
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

type PoolObject = Readonly<{ metadata?: Readonly<Record<string, unknown>>; status?: unknown }>;

const isPool = (value: unknown): value is PoolObject => isObject(value) && value['kind'] === KIND;

async function readDocuments(file: string): Promise<unknown[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CommandError(`the pool cannot be read: ${messageOf(error)}`, { cause: error });
  });
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  const [problem] = documents.flatMap(({ errors }) => errors);
  if (problem !== undefined) throw new CommandError(`${file}: ${problem.message}`, { cause: problem });
  return documents.map((document) => document.toJS({ maxAliasCount: 100 }) as unknown);
}
