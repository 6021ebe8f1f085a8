import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { NotStructuralError, toStructural } from './structural.ts';

const structural = (schema: z.ZodType) => {
  const { $schema: _dialect, ...printed } = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' });
  return toStructural(printed, 'Thing');
};

describe('a structural schema', () => {
  it('keeps types, bounds, defaults and descriptions', () => {
    const schema = z.object({
      size: z.number().int().min(1).max(9).default(3).describe('How many.').meta({ format: 'int32' }),
      name: z.string().min(1).max(5).regex(/^a/),
      tags: z.array(z.enum(['a', 'b'])).max(2),
    });
    expect(structural(schema)).toEqual({
      type: 'object',
      required: ['name', 'tags'],
      properties: {
        size: { description: 'How many.', type: 'integer', format: 'int32', default: 3, minimum: 1, maximum: 9 },
        name: { type: 'string', minLength: 1, maxLength: 5, pattern: '^a' },
        tags: { type: 'array', maxItems: 2, items: { type: 'string', enum: ['a', 'b'] } },
      },
    });
  });

  it('gives the parent of nested defaults a default of its own', () => {
    const schema = z.object({ outer: z.object({ inner: z.string().default('x') }).prefault({}) });
    expect(structural(schema)).toMatchObject({
      properties: { outer: { default: {}, properties: { inner: { default: 'x' } } } },
    });
  });

  it('keeps unknown fields where the object is loose, and only there', () => {
    expect(structural(z.object({ open: z.looseObject({ a: z.string() }), shut: z.object({}) }))).toMatchObject({
      properties: {
        open: { 'x-kubernetes-preserve-unknown-fields': true, properties: { a: { type: 'string' } } },
        shut: expect.not.objectContaining({ 'x-kubernetes-preserve-unknown-fields': expect.anything() }),
      },
    });
  });

  it('describes the values of a map', () => {
    expect(structural(z.record(z.string(), z.string().max(4)))).toEqual({
      type: 'object',
      additionalProperties: { type: 'string', maxLength: 4 },
    });
  });

  it('leaves out bounds and patterns that say no more than the type does', () => {
    expect(structural(z.number().int().min(0))).toEqual({ type: 'integer', minimum: 0 });
    expect(structural(z.number().int().min(0).max(2_147_483_647))).toEqual({ type: 'integer', minimum: 0 });
    expect(structural(z.iso.datetime())).toEqual({ type: 'string', format: 'date-time' });
  });

  it.each([
    ['a union', z.object({ a: z.union([z.string(), z.number()]) }), 'Thing.a uses anyOf'],
    ['a tuple', z.object({ a: z.tuple([z.string()]) }), 'Thing.a[] uses anyOf'],
    ['anything', z.object({ a: z.array(z.unknown()) }), 'Thing.a[] has no type'],
    ['a map of unions', z.record(z.string(), z.union([z.string(), z.boolean()])), 'Thing[*] uses anyOf'],
  ])('cannot be made from %s, and says where', (_what, schema, sentence) => {
    expect(() => structural(schema)).toThrow(NotStructuralError);
    expect(() => structural(schema)).toThrow(sentence);
  });
});
