import { describe, expect, it } from 'vitest';
import {
  refusedByOperator,
  refusedByRule,
  refusedBySchema,
  schedulesAllowed,
  specWith,
} from '../../test/contract/crd-cases.ts';
import { type ParsedPool, parsePool } from './parse.ts';

const raw = (change: Record<string, unknown> = {}) => ({
  apiVersion: 'agentpool.dev/v1alpha1',
  kind: 'AgentWorkerPool',
  metadata: {
    name: 'agent-jobs',
    namespace: 'agents',
    uid: '6d9e7e6e-0000-4000-8000-000000000001',
    generation: 3,
    resourceVersion: '41',
    creationTimestamp: '2026-11-24T12:00:00Z',
    labels: { team: 'crm' },
    managedFields: [],
  },
  spec: specWith(),
  ...change,
});

const problemsOf = (parsed: ParsedPool) => (parsed.ok ? [] : parsed.problems);

describe('a pool that is read', () => {
  it('has every default when its user wrote the least that is possible', () => {
    expect(parsePool(raw())).toEqual({
      ok: true,
      pool: {
        namespace: 'agents',
        name: 'agent-jobs',
        uid: '6d9e7e6e-0000-4000-8000-000000000001',
        generation: 3,
        resourceVersion: '41',
        createdAt: Date.UTC(2026, 10, 24, 12),
        annotations: {},
        spec: {
          mode: 'Auto',
          queue: {
            name: 'jobs',
            prefix: 'bull',
            commandsPerMinute: 120,
            redisUrl: { secretName: 'jobs-env', key: 'REDIS_URL' },
          },
          workers: {
            concurrency: 25,
            template: { spec: { containers: [{ name: 'worker', image: 'registry.local/worker:1' }] } },
          },
          scaling: {
            minReplicas: 0,
            maxReplicas: 20,
            targetWaitMs: 30_000,
            source: 'Workers',
            scaleDownWindowMs: 60_000,
            scaleUpMaxPerMinute: 0,
            schedules: [],
          },
          health: {
            intervalMs: 10_000,
            timeoutMs: 2000,
            failureThreshold: 3,
            progressTimeoutMs: 120_000,
            redisMode: 'Required',
          },
          restarts: {
            policy: 'OnFailure',
            maxRetries: 10,
            backoffBaseMs: 10_000,
            backoffMaxMs: 300_000,
            resetAfterMs: 600_000,
          },
          drain: { timeoutMs: 900_000, onTimeout: 'Wait' },
        },
      },
    });
  });

  it('keeps every field of its template that the schema does not know', () => {
    const template = {
      metadata: { labels: { tier: 'batch' }, annotations: { note: 'x' }, finalizers: [] },
      spec: {
        nodeSelector: { disk: 'ssd' },
        containers: [
          {
            name: 'worker',
            image: 'i',
            resources: { limits: { memory: '1Gi' } },
            env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
          },
        ],
        initContainers: [{ name: 'migrate', image: 'i', env: [{ name: 'REDIS_URL', value: 'redis://other' }] }],
      },
    };
    const parsed = parsePool(raw({ spec: specWith({ workers: { template } }) }));
    expect(parsed).toMatchObject({ ok: true });
    expect(parsed.ok && parsed.pool.spec.workers.template).toEqual(template);
  });

  it('says when it is being deleted, and keeps its annotations', () => {
    const { metadata } = raw();
    const parsed = parsePool(
      raw({ metadata: { ...metadata, deletionTimestamp: '2026-11-24T12:00:01Z', annotations: { a: 'b' } } }),
    );
    expect(parsed).toMatchObject({
      pool: { deletionAt: Date.UTC(2026, 10, 24, 12, 0, 1), annotations: { a: 'b' } },
    });
  });

  it('keeps its status, without the parts that another version wrote', () => {
    const replicas = { current: 1, ready: 1, wanted: 2, draining: 0 };
    const parsed = parsePool(
      raw({ status: { replicas, queue: { waiting: 'many' }, conditions: [{ type: 'Later' }] } }),
    );
    expect(parsed).toMatchObject({ ok: true });
    expect(parsed.ok && parsed.pool.status).toEqual({ replicas });
  });

  it.each([
    'applied',
    { uid: 7, generation: 1, template: 't' },
    { uid: 'u', generation: -1, template: 't' },
    { uid: 'u', generation: 1e300, template: 't' },
    { uid: 'u', generation: 1, template: 't'.repeat(65) },
    { uid: 'u', generation: 1 },
  ])('has no word of the status on the Deployment that is none: %j', (deployment) => {
    const replicas = { current: 0, ready: 0, wanted: 0, draining: 0 };
    const parsed = parsePool(raw({ status: { replicas, deployment } }));
    expect(parsed.ok && parsed.pool.status).toEqual({ replicas });
  });

  it.each(refusedByRule)('is refused with a sentence: $what', ({ name, spec, field, sentence }) => {
    const { metadata } = raw();
    const parsed = parsePool(raw({ metadata: { ...metadata, name: name ?? 'agent-jobs' }, spec }));
    expect(problemsOf(parsed)).toEqual([field === '' ? sentence : `${field}: ${sentence}`]);
  });

  it.each(refusedByOperator)(
    'is refused, for the API server cannot know better: $what',
    ({ spec, field, sentence }) => {
      expect(problemsOf(parsePool(raw({ spec })))).toEqual([`${field}: ${sentence}`]);
    },
  );

  it('has its schedules, each in its own time zone', () => {
    for (const spec of schedulesAllowed) expect(problemsOf(parsePool(raw({ spec })))).toEqual([]);
    const parsed = parsePool(raw({ spec: schedulesAllowed[0] }));
    expect(parsed.ok && parsed.pool.spec.scaling.schedules).toEqual([
      { cron: '0 8 * * 1-5', timeZone: 'UTC', durationMs: 36_000_000, minReplicas: 5 },
    ]);
  });

  it.each(refusedBySchema)('is refused, naming the field: $what', ({ spec, field }) => {
    const problems = problemsOf(parsePool(raw({ spec })));
    expect(problems).not.toEqual([]);
    for (const problem of problems)
      expect(problem.startsWith(`${field}:`) || problem.startsWith(`${field}.`)).toBe(true);
  });

  it('keeps its account of retries although its spec cannot be read', () => {
    const restarts = { templateHash: 'a', used: 2, left: 1, everReady: true };
    const spec = { ...specWith(), queue: 'none' };
    expect(parsePool(raw({ spec, status: { restarts, queue: 7 } }))).toMatchObject({ ok: false, restarts });
    expect(parsePool(raw({ spec, status: { restarts: 'two' } }))).not.toHaveProperty('restarts');
    expect(parsePool(raw({ spec }))).not.toHaveProperty('restarts');
  });

  it('lists every problem at once', () => {
    const spec = specWith({ mode: 'Manual', scaling: { targetWait: '5 minutes', scaleDown: { window: '48h' } } });
    expect(problemsOf(parsePool(raw({ spec }))).map((problem) => problem.split(':')[0])).toEqual([
      'spec.mode',
      'spec.scaling.targetWait',
      'spec.scaling.scaleDown.window',
    ]);
  });

  it.each([null, undefined, 'pool', 1, [], {}, { metadata: {} }])('never throws: %j', (junk) => {
    expect(parsePool(junk).ok).toBe(false);
  });
});
