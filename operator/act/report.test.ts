import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { decide } from '../core/decide.ts';
import { sampleDeletion, stateOf } from '../core/state.fixture.ts';
import { silentLogger } from '../kube/log.ts';
import { createPoolMetrics } from '../telemetry/metrics.ts';
import { Reporter } from './report.ts';

const reporterInto = (lines: object[], registry = new Registry()) =>
  new Reporter({
    log: { ...silentLogger, info: (fields) => void lines.push(fields) },
    metrics: createPoolMetrics(registry),
    record: () => undefined,
  });

describe('telling of decisions', () => {
  it('logs the sentence that stands in the status, once for each reason and number', () => {
    const lines: object[] = [];
    const reporter = reporterInto(lines);
    const state = stateOf({ replicas: 1, queue: { ready: 3 } });
    const decision = decide(state);
    reporter.decided(state.pool, decision);
    reporter.decided(state.pool, decision);
    expect(lines).toEqual([
      { pool: 'agents/agent-jobs', reason: 'SizedToQueue', because: decision.status.decision?.message, wanted: 1 },
    ]);
  });

  it('counts every decision by its reason, and forgets the series of a pool that is gone', async () => {
    const registry = new Registry();
    const reporter = reporterInto([], registry);
    const state = stateOf({ queue: { ready: 3 } });
    reporter.decided(state.pool, decide(state));
    reporter.decided(state.pool, decide(state));
    expect(await registry.metrics()).toContain('awp_decision_total{reason="SizedToQueue"} 2');
    expect(await registry.metrics()).toContain(
      'awp_pool_replicas{namespace="agents",pool="agent-jobs",kind="wanted"} 1',
    );
    reporter.forget(state.pool);
    expect(await registry.metrics()).not.toContain('agent-jobs');
  });

  it.each([
    ['deleted', { kind: 'deleted' }, ['ReplicaRestarted']],
    ['there no more', { kind: 'gone' }, []],
    ['not the one any more that was looked at', { kind: 'conflict' }, []],
    ['not to be deleted', { kind: 'refused', because: 'forbidden' }, []],
  ] as const)('says that a replica was restarted only of one that it deleted: it was %s', (_, outcome, said) => {
    const events: string[] = [];
    const reporter = new Reporter({
      log: silentLogger,
      metrics: createPoolMetrics(new Registry()),
      record: (__, { reason }) => void events.push(reason),
    });
    reporter.restarted(stateOf().pool, sampleDeletion, outcome);
    expect(events).toEqual(said);
  });

  it('says a refusal once, and again when it is another one or of another generation', () => {
    const lines: object[] = [];
    const reporter = new Reporter({
      log: { ...silentLogger, warn: (fields) => void lines.push(fields) },
      metrics: createPoolMetrics(new Registry()),
      record: () => undefined,
    });
    const { pool } = stateOf();
    for (const because of ['no', 'no', 'never', 'never']) reporter.refused(pool, because);
    reporter.refused({ ...pool, generation: 2 }, 'never');
    expect(lines).toHaveLength(3);
  });
});
