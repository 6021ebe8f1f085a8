/** The files of charts/ and deploy/ that are made from others. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { grantOf, rulesOf } from './roles.ts';
import { type ValuesSchema, withWords } from './values-schema.ts';
import { valuesTable } from './values-table.ts';

/** A file that is made from `source`. `path` is relative to the repository's root. */
export type GeneratedFile = Readonly<{ path: string; source: string; content: string }>;

const project = path.join(import.meta.dirname, '..', '..');
const CHARTS = ['agent-worker-pool', 'agent-worker-pool-crds'] as const;
const RBAC = 'deploy/base/rbac.yaml';
const SCHEMAS = 'scripts/charts/values-schemas';
const TABLE = /(?<=<!-- values: .*-->\n)[^]*(?=<!-- end of values -->)/;

const text = (file: string): Promise<string> => readFile(path.join(project, file), 'utf8');

const yamlOf = (value: unknown): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });

const note = (command: string, source: string): string => `# Generated from ${source} by ${command}; do not edit.\n`;

/** Everything that is made for charts and kustomize. `crd` is the definition as it stands in crds/. */
export async function chartFiles(command: string, crd: GeneratedFile): Promise<readonly GeneratedFile[]> {
  const rules = rulesOf(await text(RBAC));
  const { version } = JSON.parse(await text('package.json')) as { version: string };
  const lists = await Promise.all(CHARTS.map((chart) => filesOf(chart, version)));
  return [
    { ...crd, path: `charts/agent-worker-pool-crds/files/${path.basename(crd.path)}` },
    { path: 'charts/agent-worker-pool/files/rules.yaml', source: RBAC, content: note(command, RBAC) + yamlOf(rules) },
    {
      path: 'deploy/namespaced/grant/rbac.yaml',
      source: RBAC,
      content: note(command, RBAC) + grantOf(rules).map(yamlOf).join('---\n'),
    },
    ...lists.flat(),
  ];
}

/** The version of a chart is that of the project, its schema has words, and its README the table of its values. */
async function filesOf(chart: string, version: string): Promise<readonly GeneratedFile[]> {
  const folder = `charts/${chart}`;
  const definition = await text(`${folder}/Chart.yaml`);
  const readme = await text(`${folder}/README.md`);
  const source = `${SCHEMAS}/${chart}.json`;
  const schema = JSON.parse(await text(source)) as ValuesSchema;
  const table = valuesTable(await text(`${folder}/values.yaml`), schema);
  return [
    { path: `${folder}/values.schema.json`, source, content: `${JSON.stringify(withWords(schema), null, 2)}\n` },
    {
      path: `${folder}/Chart.yaml`,
      source: 'package.json',
      content: definition.replaceAll(/^(version|appVersion): .*$/gm, `$1: ${version}`),
    },
    {
      path: `${folder}/README.md`,
      source: `${folder}/values.yaml`,
      content: readme.replace(TABLE, () => `\n${table}\n\n`),
    },
  ];
}
