/**
 * The schema of a chart's values as Helm reads it. Helm's validator names the fault and not the cure: `additional
 * properties 'x' not allowed`, `does not match pattern '^…$'`. What it does print word for word is a constant that a value
 * must have. So a value that is not known, or has the wrong form, meets a schema that nothing satisfies, whose constant
 * says what to do (docs/adr/0020-words-for-wrong-values.md).
 */

/** As much of JSON Schema as a chart's values need. */
export type ValuesSchema = Readonly<{
  $ref?: string;
  type?: string | readonly string[];
  description?: string;
  pattern?: string;
  properties?: Readonly<Record<string, ValuesSchema>>;
  additionalProperties?: boolean | ValuesSchema;
  items?: ValuesSchema;
  definitions?: Readonly<Record<string, ValuesSchema>>;
}>;

/**
 * Adds the words: for a closed object (`additionalProperties: false`), the names that it has; for a `pattern`, what the
 * `description` beside it says. Throws with each pattern that has no description.
 */
export function withWords(source: ValuesSchema): object {
  const faults: string[] = [];
  const schema = worded(source, { path: '', faults });
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return schema;
}

type Place = Readonly<{ path: string; faults: string[] }>;

function worded(
  { pattern, properties, additionalProperties, items, definitions, ...rest }: ValuesSchema,
  at: Place,
): object {
  return {
    ...rest,
    ...(pattern === undefined ? {} : formOf(pattern, { ...at, description: rest.description })),
    ...(properties === undefined ? {} : { properties: wordedEach(properties, at) }),
    ...(additionalProperties === undefined
      ? {}
      : { additionalProperties: others(additionalProperties, properties, at) }),
    ...(items === undefined ? {} : { items: worded(items, below(at, '[]')) }),
    ...(definitions === undefined ? {} : { definitions: wordedEach(definitions, at) }),
  };
}

const wordedEach = (schemas: Readonly<Record<string, ValuesSchema>>, at: Place): Readonly<Record<string, object>> =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, worded(schema, below(at, name))]));

const below = ({ path, faults }: Place, name: string): Place => ({
  path: path === '' || name === '[]' ? `${path}${name}` : `${path}.${name}`,
  faults,
});

/** Nothing satisfies it, not even the sentence itself. Helm says `value must be 'SENTENCE'`. */
const unsatisfiable = (sentence: string): object => ({ const: sentence, not: { const: sentence } });

function formOf(pattern: string, { path, faults, description }: Place & Readonly<{ description: string | undefined }>) {
  if (description === undefined) faults.push(`${path} has a pattern and no description, which says what it means`);
  return { if: { pattern }, else: unsatisfiable(description ?? '') };
}

function others(allowed: boolean | ValuesSchema, properties: ValuesSchema['properties'], at: Place): boolean | object {
  if (typeof allowed === 'object') return worded(allowed, at);
  if (allowed || properties === undefined) return allowed;
  const names = Object.keys(properties).filter((name) => name !== 'global');
  return unsatisfiable(`left out: ${at.path === '' ? 'the chart' : at.path} has ${names.join(', ')}`);
}
