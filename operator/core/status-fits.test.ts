import fc from 'fast-check';
import { expect, it } from 'vitest';
import { poolStatus } from '../api/status.ts';
import { decide } from './decide.ts';
import { known, unknown } from './known.ts';
import { afterApplying, healthOf, replicaOf, samplePool, stateOf } from './state.fixture.ts';
import type { PoolState } from './state.ts';

/** What one source lets pass for a number of jobs. */
const jobs = fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 2_147_483_647 }));
const length = fc.oneof(fc.nat({ max: 1e9 }), fc.double({ min: 0, max: 1e15, noNaN: true }));
const reason = fc.oneof(fc.string({ maxLength: 4000 }), fc.constantFrom('x\n'.repeat(3000), 'é'.repeat(5000)));

const queues = fc.record(
  {
    ready: jobs,
    active: jobs,
    delayed: jobs,
    failed: jobs,
    paused: fc.boolean(),
    exists: fc.boolean(),
    concurrency: fc.double({ min: 1e-3, max: 1e15, noNaN: true }),
    rateLimit: fc.record({
      max: fc.double({ min: 1e-3, max: 1e15, noNaN: true }),
      durationMs: fc.integer({ min: 1, max: 1e12 }),
    }),
    limitedForMs: fc.nat({ max: 9_007_199_254_740_991 }),
    oldestWaitMs: fc.double({ min: 0, max: 1e18, noNaN: true }),
  },
  { requiredKeys: ['ready', 'active', 'delayed', 'failed', 'paused', 'exists'] },
);

const replicas = fc.array(
  fc.record({
    ready: fc.boolean(),
    report: fc.oneof(
      reason.map((because) => ({ ok: false as const, because })),
      fc.record({
        active: jobs,
        slots: jobs,
        processStart: length,
        durationSum: length,
        durationCount: fc.nat(),
        runningSeconds: length,
      }),
    ),
    redis: fc.oneof(
      fc.constant({ ok: true as const }),
      reason.map((because) => ({ ok: false as const, kind: 'Outage' as const, because })),
    ),
    restarts: fc.nat({ max: 50 }),
  }),
  { maxLength: 6 },
);

const states = fc.record({
  pool: fc
    .record({
      minReplicas: fc.integer({ min: 0, max: 5 }),
      maxReplicas: fc.integer({ min: 5, max: 1000 }),
      concurrency: fc.integer({ min: 1, max: 1000 }),
      targetWaitMs: fc.integer({ min: 1000, max: 86_400_000 }),
      scaleUpMaxPerMinute: fc.nat({ max: 3 }),
    })
    .map(samplePool),
  mode: fc.constantFrom('Auto' as const, 'Recommend' as const, 'Paused' as const),
  queue: queues,
  unreadable: fc.option(reason, { nil: undefined }),
  replicas,
  stepsMs: fc.array(fc.nat({ max: 4_000_000 }), { maxLength: 4 }),
});

it('a status is one that the API server takes, whatever a queue and its replicas say', () => {
  fc.assert(
    fc.property(states, ({ pool, mode, queue, unreadable, replicas: said, stepsMs }) => {
      const looked = (state: PoolState): PoolState => ({
        ...state,
        queue: unreadable === undefined ? known({ ...queue, source: 'Workers' }, state.now) : unknown(unreadable),
        replicas: known(
          said.map(({ ready, report, redis, restarts }, index) =>
            replicaOf(`pod-${index}`, {
              ready,
              worker: { state: 'Running', restarts },
              report: 'ok' in report ? report : known(report, state.now),
              health: known(healthOf({}, { redis: known(redis, state.now) }), state.now),
            }),
          ),
          state.now,
        ),
      });
      let state = looked(stateOf({ pool: { ...pool, spec: { ...pool.spec, mode } }, replicas: said.length }));
      for (const elapsedMs of [0, ...stepsMs]) {
        const decision = decide(state);
        expect(poolStatus.safeParse(JSON.parse(JSON.stringify(decision.status))).error?.issues ?? []).toEqual([]);
        state = looked(afterApplying(state, decision, elapsedMs));
      }
    }),
    { numRuns: 500 },
  );
});

it('a status holds the number of the rule where it is more replicas than 32 bits can count', () => {
  const most = 2_147_483_647;
  const state = stateOf({ pool: samplePool({ concurrency: 1 }), queue: { ready: most, active: most } });
  const { status } = decide(state);
  expect(status.decision?.bounds).toMatchObject([{ reason: 'HeldToMaximum', from: most, to: 20 }]);
  expect(status.decision?.message).toContain('→ 4294967294; held to 20');
});
