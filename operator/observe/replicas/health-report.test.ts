import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleReport } from '../../../test/fixtures/health-report.ts';
import { readHealthReport } from './health-report.ts';

const REPORT = {
  ...sampleReport,
  cordonedUntil: '2026-01-05T12:01:00.000Z',
  held: 'Supabase is out',
  lastFetchAt: '2026-01-05T12:00:30.000Z',
  redis: { connected: true, latencyMs: 1, error: null },
  supabase: { connected: false, latencyMs: null, error: 'answers 503' },
};
const read = (change: object) => readHealthReport(JSON.stringify({ ...REPORT, ...change }), 7);

describe("a replica's health", () => {
  it('is read with what it runs, what it reaches and why not', () => {
    expect(read({})).toEqual({
      ok: true,
      at: 7,
      value: {
        work: {
          processStart: '2026-01-05T12:00:00.000Z',
          active: 2,
          slots: 5,
          cordoned: true,
          held: 'Supabase is out',
          stopping: false,
          lastFetch: '2026-01-05T12:00:30.000Z',
          hasFinished: false,
        },
        cordonedUntil: '2026-01-05T12:01:00.000Z',
        redis: { ok: true, value: { ok: true }, at: 7 },
        supabase: { ok: true, value: { ok: false, kind: 'Outage', because: 'answers 503' }, at: 7 },
      },
    });
  });

  it('tells a refusal from an outage, and what was not checked from both', () => {
    const supabaseOf = (supabase: unknown) => {
      const health = read({ supabase });
      return health.ok ? health.value.supabase : health;
    };
    expect(supabaseOf({ connected: false, kind: 'Refused', error: 'refuses the key (401)' })).toMatchObject({
      value: { kind: 'Refused' },
    });
    expect(supabaseOf({ connected: null, error: null })).toMatchObject({ ok: false });
    expect(supabaseOf(undefined)).toEqual({ ok: false, because: 'its /health does not speak of it' });
    expect(supabaseOf(null)).toEqual({ ok: false, because: 'the replica does not check it' });
    expect(supabaseOf('fine')).toMatchObject({ ok: false });
  });

  it.each([
    ['no JSON', 'ok'],
    ['a list', '[]'],
    ['null', 'null'],
    ['no process start', JSON.stringify({ ...REPORT, processStartTime: undefined })],
    ['no number of jobs', JSON.stringify({ ...REPORT, active: '2' })],
    ['a negative number of jobs', JSON.stringify({ ...REPORT, active: -1 })],
    ['half a slot', JSON.stringify({ ...REPORT, slots: 0.5 })],
    ['held that is no text', JSON.stringify({ ...REPORT, held: true })],
  ])('is unknown as %s', (_, text) => {
    expect(readHealthReport(text, 7)).toMatchObject({ ok: false });
  });

  it('never throws, whatever a worker answers', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void readHealthReport(text, 1)));
  });
});
