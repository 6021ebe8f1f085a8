import { expect, it } from 'vitest';
import { reportHealth } from './health.ts';
import type { HealthFacts } from './health.ts';
import { PROCESS_START_MS } from './process-start.ts';
import type { Testimony } from './testimony.ts';

const testimony: Testimony = {
  pod: 'w1',
  processStartTime: new Date(PROCESS_START_MS).toISOString(),
  cordonedUntil: null,
  cordonSecondsLeft: 0,
  stopping: false,
  held: null,
  active: 2,
  slots: 25,
  lastFetchAt: '2026-01-01T00:00:00.000Z',
  lastFinishAt: null,
  lastFinishedJobId: null,
};

const facts: HealthFacts = {
  testimony,
  queue: 'agent-jobs',
  ping: { ok: true, latencyMs: 0.4 },
  fetchFault: undefined,
  supabase: undefined,
  failedJobs: 3,
  now: PROCESS_START_MS + 12_340,
};

it('reports a worker that is well', () => {
  expect(reportHealth(facts)).toEqual({
    status: 'ok',
    service: 'worker',
    queue: 'agent-jobs',
    uptimeSeconds: 12.3,
    redis: { connected: true, latencyMs: 0.4, error: null, kind: null },
    supabase: null,
    failedJobs: 3,
    ...testimony,
  });
});

it('is degraded while Redis does not answer, and says why', () => {
  const because = 'connection is reconnecting: connect ECONNREFUSED';
  const report = reportHealth({ ...facts, ping: { ok: false, because }, failedJobs: undefined });
  expect(report).toMatchObject({
    status: 'degraded',
    redis: { connected: false, latencyMs: null, error: because, kind: 'Outage' },
    failedJobs: null,
  });
});

it('is degraded when Redis answers but the connection for fetching is dead', () => {
  const report = reportHealth({ ...facts, fetchFault: 'the connection for fetching is end' });
  expect(report).toMatchObject({
    status: 'degraded',
    redis: { connected: false, latencyMs: 0.4, error: 'the connection for fetching is end' },
  });
});

it.each([
  ['WRONGPASS invalid username-password pair', 'Refused'],
  ['connection is end: NOPERM this user has no permissions', 'Refused'],
  ['connect ECONNREFUSED 10.0.0.1:6379', 'Outage'],
])('tells a Redis that says no from one that is out: %s', (because, kind) => {
  expect(reportHealth({ ...facts, ping: { ok: false, because } }).redis.kind).toBe(kind);
});

it.each([
  ['Required', false, 'degraded'],
  ['Required', null, 'degraded'],
  ['Required', true, 'ok'],
  ['Optional', false, 'ok'],
] as const)('with Supabase %s and connected: %s it is %s', (mode, connected, status) => {
  const supabase = {
    mode,
    connected,
    latencyMs: null,
    databaseLatencyMs: null,
    error: null,
    kind: null,
    checkedAt: null,
  };
  expect(reportHealth({ ...facts, supabase })).toMatchObject({ status, supabase });
});
