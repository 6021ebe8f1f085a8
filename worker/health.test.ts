import { expect, it } from 'vitest';
import { reportHealth } from './health.ts';
import type { HealthFacts } from './health.ts';
import { PROCESS_START_MS } from './process-start.ts';

const facts: HealthFacts = {
  pod: 'w1',
  queue: 'agent-jobs',
  slots: 25,
  active: 2,
  progress: { lastFetchAt: Date.UTC(2026, 0, 1), lastFinishAt: undefined },
  ping: { ok: true, latencyMs: 0.4 },
  fetchFault: undefined,
  failedJobs: 3,
  now: PROCESS_START_MS + 12_340,
};

it('reports a worker that is well', () => {
  expect(reportHealth(facts)).toEqual({
    status: 'ok',
    service: 'worker',
    pod: 'w1',
    queue: 'agent-jobs',
    processStartTime: new Date(PROCESS_START_MS).toISOString(),
    uptimeSeconds: 12.3,
    redis: { connected: true, latencyMs: 0.4, error: null },
    active: 2,
    slots: 25,
    lastFetchAt: '2026-01-01T00:00:00.000Z',
    lastFinishAt: null,
    failedJobs: 3,
  });
});

it('is degraded while Redis does not answer, and says why', () => {
  const because = 'connection is reconnecting: connect ECONNREFUSED';
  const report = reportHealth({ ...facts, ping: { ok: false, because }, failedJobs: undefined });
  expect(report).toMatchObject({
    status: 'degraded',
    redis: { connected: false, latencyMs: null, error: because },
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
