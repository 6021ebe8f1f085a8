import { type Document, isMap, isPair, isScalar, type Pair, parseDocument, type YAMLMap } from 'yaml';
import type { ValuesSchema } from './values-schema.ts';

type Row = Readonly<{ key: string; value: string; meaning: string }>;

/** Its properties are the values of a section, each with a comment and a schema of its own. */
const isSection = (schema: ValuesSchema | undefined): boolean =>
  schema?.properties !== undefined && schema.additionalProperties === false;

/** A section may be written as a value, in one line with one comment for all of it. */
const isFlow = (pair: Pair): boolean => isMap(pair.value) && pair.value.flow === true;

/**
 * A table of a chart's values: key, default, and the comment above it. Throws with every value that has no comment or is
 * not in the schema, and every property of the schema that has no default.
 */
export function valuesTable(valuesYaml: string, schema: ValuesSchema): string {
  const faults: string[] = [];
  const document: Document = parseDocument(valuesYaml);
  const rows = isMap(document.contents) ? rowsOf(document.contents, { path: [], schema, faults }) : [];
  if (faults.length > 0) throw new Error(faults.join('\n'));
  const lines = rows.map(({ key, value, meaning }) => `| \`${key}\` | ${value} | ${meaning} |`);
  return ['| value | default | meaning |', '|---|---|---|', ...lines].join('\n');
}

type Place = Readonly<{ path: readonly string[]; schema: ValuesSchema; faults: string[] }>;

function rowsOf(map: YAMLMap, { path, schema, faults }: Place): Row[] {
  const keys = map.items.map((pair) => nameOf(pair));
  const missing = Object.keys(schema.properties ?? {}).filter((name) => !keys.includes(name) && name !== 'global');
  faults.push(...missing.map((name) => `${[...path, name].join('.')} is in the schema and has no default`));
  return map.items.flatMap((pair, index) => {
    const here = [...path, nameOf(pair)];
    const known = schema.properties?.[nameOf(pair)];
    if (known === undefined) faults.push(`${here.join('.')} is not in the schema`);
    if (known !== undefined && isSection(known) && isMap(pair.value) && !isFlow(pair)) {
      return rowsOf(pair.value, { path: here, schema: known, faults });
    }
    const meaning = commentOf(map, index);
    if (meaning === '') faults.push(`${here.join('.')} has no comment`);
    return [{ key: here.join('.'), value: `\`${JSON.stringify(valueOf(pair))}\``, meaning }];
  });
}

const nameOf = ({ key }: Pair): string => (isScalar(key) ? String(key.value) : '');

const valueOf = ({ value }: Pair): unknown =>
  value !== null && typeof value === 'object' && 'toJSON' in value
    ? (value as { toJSON: () => unknown }).toJSON()
    : value;

/** The parser hangs a comment on the key below it, but the first of a map on the map itself. */
function commentOf(map: YAMLMap, index: number): string {
  const pair = map.items[index];
  const own = isPair(pair) && isScalar(pair.key) ? pair.key.commentBefore : undefined;
  const comment = own ?? (index === 0 ? map.commentBefore : undefined) ?? '';
  return comment
    .split('\n')
    .map((line) => line.trim())
    .join(' ')
    .trim()
    .replaceAll('|', String.raw`\|`);
}
