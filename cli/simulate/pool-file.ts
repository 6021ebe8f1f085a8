import { readFile } from 'node:fs/promises';
import { type Document, parseAllDocuments } from 'yaml';
import { GROUP_VERSION, KIND } from '../../operator/api/names.ts';
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

/**
 * The pool of a YAML or JSON file, defaults applied; other objects in the file are passed over. In mode `Recommend` or
 * `Paused` it would change nothing: it is asked about what it would do in `Auto`.
 */
export async function readPoolFile(file: string): Promise<Pool> {
  const found = (await readDocuments(file)).filter(isPool);
  const [only] = found;
  if (only === undefined) throw new CommandError(`${file} has no object of kind ${KIND}`);
  if (found.length > 1)
    throw new CommandError(`${file} has ${found.length} pools: put the one to simulate into a file`);
  if (only.apiVersion !== undefined && only.apiVersion !== GROUP_VERSION)
    throw new CommandError(`${file}: apiVersion must be ${GROUP_VERSION}, not ${JSON.stringify(only.apiVersion)}`);
  const name = only.metadata?.['name'];
  if (typeof name !== 'string' || name === '') throw new CommandError(`${file}: metadata.name is missing`);
  const { status: _old, ...pool } = only;
  const raw = { ...pool, metadata: { ...AS_STORED, ...only.metadata } };
  const parsed = parsePool(raw);
  const problems = parsed.ok ? unknownFields(raw).map((field) => `${field}: there is no such field`) : parsed.problems;
  if (!parsed.ok || problems.length > 0) {
    throw new CommandError(`${file} is not a valid pool:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
  return inAuto(parsed.pool);
}

function inAuto(pool: Pool): Pool {
  const { deploymentName: _beside, ...workers } = pool.spec.workers;
  return { ...pool, spec: { ...pool.spec, mode: 'Auto', workers } };
}

/** Fields that the schema does not know, which `kubectl apply` refuses too: a misspelt one would keep its default. */
function unknownFields(raw: unknown): string[] {
  const parsed = poolResource.safeParse(raw);
  return parsed.success ? missingFrom(parsed.data, raw, '') : [];
}

function missingFrom(parsed: unknown, raw: unknown, path: string): string[] {
  if (Array.isArray(raw) && Array.isArray(parsed))
    return raw.flatMap((each: unknown, index) => missingFrom(parsed[index], each, `${path}[${index}]`));
  if (!isObject(raw) || !isObject(parsed)) return [];
  return Object.entries(raw).flatMap(([key, value]) => {
    const field = path === '' ? key : `${path}.${key}`;
    return key in parsed ? missingFrom(parsed[key], value, field) : [field];
  });
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

type PoolObject = Readonly<{ apiVersion?: unknown; metadata?: Readonly<Record<string, unknown>>; status?: unknown }>;

const isPool = (value: unknown): value is PoolObject => isObject(value) && value['kind'] === KIND;

async function readDocuments(file: string): Promise<unknown[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CommandError(`the pool cannot be read: ${messageOf(error)}`, { cause: error });
  });
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  const [problem] = documents.flatMap(({ errors }) => errors);
  if (problem !== undefined) throw new CommandError(`${file}: ${problem.message}`, { cause: problem });
  return documents.flatMap((document) => itemsOf(jsOf(document, file)));
}

/** Throws `CommandError` for what YAML can say and no object can be, such as aliases without end. */
function jsOf(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new CommandError(`${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** What `kubectl get` prints for several objects is one list. */
const itemsOf = (value: unknown): unknown[] =>
  isObject(value) && value['kind'] === 'List' && Array.isArray(value['items']) ? value['items'] : [value];
