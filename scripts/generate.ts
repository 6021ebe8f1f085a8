/** Writes every file that is made from the source, or with `--check` tells which of them is out of date. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { poolDefinition } from '../operator/api/crd/manifest.ts';
import { API_GROUP, PLURAL } from '../operator/api/names.ts';
import { chartFiles, type GeneratedFile } from './charts/files.ts';

const COMMAND = 'npm run generate';

const yaml = (source: string, value: unknown): string =>
  `# Generated from ${source} by ${COMMAND}; do not edit.\n${stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })}`;

const generatedFiles = async (): Promise<readonly GeneratedFile[]> => {
  const crd: GeneratedFile = {
    path: `crds/${API_GROUP}_${PLURAL}.yaml`,
    source: 'operator/api',
    content: yaml('operator/api', poolDefinition()),
  };
  return [crd, ...(await chartFiles(COMMAND, crd))];
};

const textOf = async (file: string): Promise<string | undefined> => {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw cause;
  }
};

/** Writes the files that differ below `root` and returns one line for each. */
export const writeGenerated = async (root: string): Promise<readonly string[]> => {
  const lines: string[] = [];
  for (const file of await generatedFiles()) {
    const target = path.join(root, file.path);
    if ((await textOf(target)) === file.content) continue;
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, file.content);
    lines.push(`wrote ${file.path}`);
  }
  return lines;
};

/** Returns one line for each file below `root` that is missing or not what the source says; writes nothing. */
export const checkGenerated = async (root: string): Promise<readonly string[]> => {
  const lines: string[] = [];
  for (const file of await generatedFiles()) {
    const text = await textOf(path.join(root, file.path));
    if (text === file.content) continue;
    const what = text === undefined ? 'is missing' : `is not what ${file.source} says`;
    lines.push(`${file.path} ${what}: run ${COMMAND} and commit it`);
  }
  return lines;
};

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const root = path.join(import.meta.dirname, '..');
  if (values.check) {
    const lines = await checkGenerated(root);
    for (const line of lines) console.error(line);
    process.exitCode = lines.length === 0 ? 0 : 1;
  } else {
    for (const line of await writeGenerated(root)) console.log(line);
  }
}
