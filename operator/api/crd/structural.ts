import { INT32_MAX } from '../names.ts';

/** JSON Schema as zod prints it: anything that JSON can hold. */
type Json = Readonly<Record<string, unknown>>;

/** What a structural schema may hold besides the children, in the order in which it is printed. */
const PRINTED = [
  'description',
  'type',
  'format',
  'default',
  'enum',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'nullable',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-validations',
  'required',
] as const;
const CHILDREN = ['properties', 'additionalProperties', 'items'];
const KNOWN: ReadonlySet<string> = new Set([...PRINTED, ...CHILDREN]);

/** A schema that the API server would refuse, or of which it would silently drop a part. */
export class NotStructuralError extends Error {
  override readonly name = 'NotStructuralError';
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isEmpty = (value: Json): boolean => Object.keys(value).length === 0;

/** Bounds that only say "an integer of JavaScript" or "of this format" are noise. */
const isNoise = (schema: Json, key: string): boolean => {
  if (key === 'pattern') return schema['format'] === 'date-time';
  if (key !== 'minimum' && key !== 'maximum') return false;
  const bound = Math.abs(Number(schema[key]));
  return bound === Number.MAX_SAFE_INTEGER || (key === 'maximum' && bound === INT32_MAX);
};

const child = (schema: unknown, path: string): Json => {
  if (!isObject(schema)) throw new NotStructuralError(`${path} is not a schema`);
  return toStructural(schema, path);
};

const childrenOf = (schema: Json, path: string): Json => {
  const { properties, additionalProperties, items } = schema;
  const children: Record<string, unknown> = {};
  if (isObject(properties)) {
    children['properties'] = Object.fromEntries(
      Object.entries(properties).map(([name, value]) => [name, child(value, `${path}.${name}`)]),
    );
  }
  if (isObject(additionalProperties) && !isEmpty(additionalProperties)) {
    if (properties !== undefined) throw new NotStructuralError(`${path} has properties and additionalProperties`);
    children['additionalProperties'] = child(additionalProperties, `${path}[*]`);
  }
  if (items !== undefined) children['items'] = child(items, `${path}[]`);
  return children;
};

/**
 * Turns what `z.toJSONSchema(…, {target: 'openapi-3.0', io: 'input'})` prints into a structural schema:
 * https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 * A loose object becomes one that preserves unknown fields; whatever has no structural form (a union, a tuple, a
 * reference, anything) throws NotStructuralError with its path.
 */
export const toStructural = (schema: Json, path: string): Json => {
  const strange = Object.keys(schema).find((key) => !KNOWN.has(key));
  if (strange !== undefined) throw new NotStructuralError(`${path} uses ${strange}, which has no structural form`);
  if (typeof schema['type'] !== 'string') throw new NotStructuralError(`${path} has no type`);
  const loose = isObject(schema['additionalProperties']) && isEmpty(schema['additionalProperties']);
  const whole: Json = loose ? { ...schema, 'x-kubernetes-preserve-unknown-fields': true } : schema;
  const printed = PRINTED.filter((key) => whole[key] !== undefined && !isNoise(whole, key));
  return { ...Object.fromEntries(printed.map((key) => [key, whole[key]])), ...childrenOf(schema, path) };
};
