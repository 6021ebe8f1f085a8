import { expect, it } from 'vitest';
import { withWords } from './values-schema.ts';

const closed = { type: 'object', additionalProperties: false } as const;

it('a value that is not known is told to be left out, with the names that there are', () => {
  const inner = { ...closed, properties: { qps: { type: 'integer' }, burst: { type: 'integer' } } };
  const schema = withWords({ ...closed, properties: { global: { type: 'object' }, api: inner } });
  expect(schema).toMatchObject({
    additionalProperties: { const: 'left out: the chart has api' },
    properties: { api: { additionalProperties: { const: 'left out: api has qps, burst' } } },
  });
});

it('the items of a list are called by the list', () => {
  const item = { ...closed, properties: { name: { type: 'string' } } };
  const schema = withWords({ ...closed, properties: { secrets: { type: 'array', items: item } } });
  expect(JSON.stringify(schema)).toContain('left out: secrets[] has name');
});

it('a value of a wrong form meets the words for the right one, which are no value themselves', () => {
  expect(withWords({ type: 'string', pattern: '^a+$', description: 'one or more a' })).toEqual({
    type: 'string',
    description: 'one or more a',
    if: { pattern: '^a+$' },
    else: { const: 'one or more a', not: { const: 'one or more a' } },
  });
});

it('an open object stays open', () => {
  expect(withWords({ type: 'object', additionalProperties: { type: 'string' } })).toEqual({
    type: 'object',
    additionalProperties: { type: 'string' },
  });
});

it('a pattern without words for it is named', () => {
  const schema = { ...closed, properties: { image: { ...closed, properties: { digest: { pattern: '^a$' } } } } };
  expect(() => withWords(schema)).toThrow('image.digest has a pattern and no description');
});
