import { z } from 'zod';
import { INT32_MAX } from '../../api/names.ts';
import { type Known, known, type Millis, unknown } from '../../core/known.ts';
import { STALE_MS } from './prometheus-query.ts';

/** Seconds since the epoch, and the value as text: "NaN", "+Inf" and 64-bit numbers are no JSON numbers. */
const point = z.tuple([z.number(), z.string()]);

/** What the HTTP API answers (prometheus.io/docs/prometheus/latest/querying/api). */
const answer = z.discriminatedUnion('status', [
  z.object({ status: z.literal('error'), errorType: z.string().default('error'), error: z.string().default('') }),
  z.object({
    status: z.literal('success'),
    warnings: z.array(z.string()).default([]),
    data: z.discriminatedUnion('resultType', [
      z.object({ resultType: z.literal('vector'), result: z.array(z.object({ value: point.optional() })) }),
      z.object({ resultType: z.literal('scalar'), result: point }),
      z.object({ resultType: z.literal('matrix') }),
      z.object({ resultType: z.literal('string') }),
    ]),
  }),
]);

const MESSAGE_LIMIT = 200;
/** The first line of what another system says, cut. */
export const firstLineOf = (text: string): string => (text.trim().split('\n', 1)[0] ?? '').slice(0, MESSAGE_LIMIT);

/**
 * The one number that an instant query asked for: a count of jobs, rounded up. Everything else is unknown, with the
 * reason; no result is not 0.
 */
export function numberIn(body: string, now: Millis): Known<number> {
  const parsed = answer.safeParse(jsonOf(body));
  if (!parsed.success) return unknown('it does not answer like the HTTP API of Prometheus');
  const said = parsed.data;
  if (said.status === 'error')
    return unknown(`it refuses the query: ${firstLineOf(`${said.errorType}: ${said.error}`)}`);
  const [warning] = said.warnings;
  if (warning !== undefined) return unknown(`its answer is not whole: ${firstLineOf(warning)}`);
  const { data } = said;
  switch (data.resultType) {
    case 'scalar':
      return countAt(data.result, now);
    case 'vector': {
      const [first, ...more] = data.result;
      if (first === undefined) return unknown('the query has no result: does it scrape the workers, and lately?');
      if (more.length > 0) {
        return unknown(`the query has ${more.length + 1} results and must have one: put max(…) or sum(…) around it`);
      }
      return first.value === undefined ? unknown('the result of the query is a histogram') : countAt(first.value, now);
    }
    case 'matrix':
    case 'string':
      return unknown(`the query gives a ${data.resultType} and must give a number`);
  }
}

function countAt([seconds, text]: z.infer<typeof point>, now: Millis): Known<number> {
  const value = text.trim() === '' ? Number.NaN : Number(text.replace(/Inf$/, 'Infinity'));
  if (!Number.isFinite(value) || value < 0) return unknown(`the result of the query is ${firstLineOf(text)}`);
  // More than any queue holds, and than the status could say the replicas for: the query counts something else.
  if (value > INT32_MAX) return unknown(`the result of the query is ${firstLineOf(text)}: does it count jobs?`);
  const at = Math.round(seconds * 1000);
  // A cache in front of Prometheus, or its clock, may answer with another time than now.
  if (Math.abs(now - at) > STALE_MS) {
    return unknown(`the result of the query is of another time, ${Math.round((now - at) / 1000)} s ago`);
  }
  return known(Math.ceil(value), Math.min(at, now));
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
