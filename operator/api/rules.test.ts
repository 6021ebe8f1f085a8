import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { celString, withRules } from './rules.ts';

describe('a rule', () => {
  const schema = withRules(z.string().max(9), [
    { cel: 'size(self) > 1', holds: (text) => text.length > 1, message: 'too short' },
    { cel: `self != 'no'`, holds: (text) => text !== 'no', message: 'not this', explain: (text) => `not '${text}'` },
  ]);

  it('holds when the operator parses, with the sentence that quotes the value', () => {
    expect(schema.safeParse('ok').success).toBe(true);
    expect(schema.safeParse('x').error?.issues.map(({ message }) => message)).toEqual(['too short']);
    expect(schema.safeParse('no').error?.issues.map(({ message }) => message)).toEqual([`not 'no'`]);
  });

  it('stands in the CRD beside what the schema already said, also after a default and a description', () => {
    expect(z.toJSONSchema(schema.default('yes').describe('Text.'), { io: 'input' })).toMatchObject({
      maxLength: 9,
      default: 'yes',
      description: 'Text.',
      'x-kubernetes-validations': [
        { rule: 'size(self) > 1', message: 'too short' },
        { rule: `self != 'no'`, message: 'not this' },
      ],
    });
  });

  it('keeps a list-map a list-map', () => {
    const list = withRules(z.array(z.string()).meta({ 'x-kubernetes-list-type': 'set' }), []);
    expect(z.toJSONSchema(list)).toMatchObject({ 'x-kubernetes-list-type': 'set' });
  });

  it('writes any text as a CEL string', () => {
    expect(celString(`it's a \\ and\na line`)).toBe(`'it\\'s a \\\\ and\\na line'`);
  });
});
