import { describe, expect, it } from 'vitest';
import { poolDefinition } from './manifest.ts';

type Schema = Readonly<{
  type?: string;
  format?: string;
  enum?: unknown[];
  description?: string;
  maxLength?: number;
  maxItems?: number;
  maxProperties?: number;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
  'x-kubernetes-validations'?: { rule: string; message: string }[];
}>;

const root = poolDefinition().spec.versions[0]?.schema.openAPIV3Schema as Schema;

/** Every schema below `schema`, with its path. */
const walk = (schema: Schema, path = ''): [string, Schema][] => [
  [path, schema],
  ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) => walk(child, `${path}.${name}`)),
  ...(schema.items ? walk(schema.items, `${path}[]`) : []),
  ...(schema.additionalProperties ? walk(schema.additionalProperties, `${path}[*]`) : []),
];

const all = walk(root).filter(([path]) => path !== '.apiVersion' && path !== '.kind' && path !== '.metadata');
const paths = (wanted: (schema: Schema) => boolean) => all.filter(([, schema]) => wanted(schema)).map(([path]) => path);

describe('the CRD', () => {
  it('bounds every text, so that the cost of its rules can be estimated', () => {
    expect(paths((schema) => schema.type === 'string' && !schema.enum && schema.maxLength === undefined)).toEqual([]);
  });

  it('bounds every list and every map', () => {
    expect(paths(({ type, maxItems }) => type === 'array' && maxItems === undefined)).toEqual([]);
    expect(paths((schema) => schema.additionalProperties !== undefined && schema.maxProperties === undefined)).toEqual(
      [],
    );
  });

  it('describes every field for kubectl explain', () => {
    const fields = all.filter(([path]) => path !== '' && !path.endsWith(']'));
    expect(fields.filter(([, { description }]) => !description?.endsWith('.')).map(([path]) => path)).toEqual([]);
  });

  it('has a sentence for every rule', () => {
    const rules = all.flatMap(([, schema]) => schema['x-kubernetes-validations'] ?? []);
    expect(rules.length).toBeGreaterThan(10);
    for (const { message } of rules) expect(message).toMatch(/^[a-z][^\n]{20,}$/i);
  });

  it('says nothing of metadata but that it is there, for the API server allows no more', () => {
    expect(root.properties?.['metadata']).toEqual({ type: 'object' });
  });

  it('offers no scale subresource, which would invite an autoscaler to fight the operator', () => {
    expect(poolDefinition().spec.versions[0]?.subresources).toEqual({ status: {} });
  });
});
