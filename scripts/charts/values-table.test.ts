import { expect, it } from 'vitest';
import type { ValuesSchema } from './values-schema.ts';
import { valuesTable } from './values-table.ts';

const text = { type: 'string' };
const section = (properties: NonNullable<ValuesSchema['properties']>): ValuesSchema => ({
  type: 'object',
  additionalProperties: false,
  properties,
});

it('a value stands in the table by its whole name, with its default and the comment above it', () => {
  const values = '# How many.\ncount: 2\n\nimage:\n  # Where it is,\n  # without a|tag.\n  repository: ""\n';
  const schema = section({ count: { type: 'integer' }, image: section({ repository: text }) });
  expect(valuesTable(values, schema).split('\n').slice(2)).toEqual([
    '| `count` | `2` | How many. |',
    String.raw`| ${'`image.repository`'} | ${'`""`'} | Where it is, without a\|tag. |`,
  ]);
});

it('a section in one line is one value, with one comment', () => {
  const schema = section({ secret: section({ name: text, key: text }) });
  expect(valuesTable('# Which.\nsecret: {name: a, key: b}\n', schema)).toContain(
    '| `secret` | `{"name":"a","key":"b"}` | Which. |',
  );
});

it.each([
  ['without a comment', 'count: 2\n', section({ count: text }), 'count has no comment'],
  ['that no schema knows', '# How many.\ncuont: 2\n', section({ count: text }), 'cuont is not in the schema'],
  ['without a default', '{}\n', section({ count: text }), 'count is in the schema and has no default'],
])('a value %s is named', (_what, values, schema, fault) => {
  expect(() => valuesTable(values, schema)).toThrow(fault);
});
