import type { z } from 'zod';

/** A string in CEL: single quotes, with what would end it or escape in it escaped. */
export const celString = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;

/**
 * One rule of the resource, said twice: `cel` is what the API server evaluates, `holds` what the operator checks on
 * a pool that reached it past an older CRD. `message` is the sentence for both; where it quotes the value, `celMessage`
 * and `explain` build the same sentence on either side (`message` is then what the API server says if that fails).
 */
export type Rule<T> = Readonly<{
  cel: string;
  holds: (value: T) => boolean;
  message: string;
  celMessage?: string;
  explain?: (value: T) => string;
}>;

/** Puts the rules on a schema: as refinements for parsing, and as `x-kubernetes-validations` for the CRD. */
export const withRules = <S extends z.ZodType>(schema: S, rules: readonly Rule<z.output<S>>[]): S => {
  let ruled: S = schema;
  for (const { holds, message, explain } of rules) {
    ruled = ruled.refine((value) => holds(value), {
      error: ({ input }) => explain?.(input as z.output<S>) ?? message,
    });
  }
  return ruled.meta({
    'x-kubernetes-validations': rules.map(({ cel, message, celMessage }) => ({
      rule: cel,
      message,
      ...(celMessage === undefined ? {} : { messageExpression: celMessage }),
    })),
  });
};
