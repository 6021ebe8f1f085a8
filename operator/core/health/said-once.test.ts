import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decide } from '../decide.ts';
import type { Check } from '../dependencies/check.ts';
import { known, unknown } from '../known.ts';
import { afterApplying, healthOf, NOON, replicaOf, samplePool, stateOf, toldBy } from '../state.fixture.ts';
import type { PoolState, ReplicaView } from '../state.ts';

const OK: Check = known({ ok: true } as const, NOON);
const OUT: Check = known({ ok: false, kind: 'Outage', because: 'ECONNREFUSED' } as const, NOON);
const REFUSED: Check = known({ ok: false, kind: 'Refused', because: 'refuses the key (401)' } as const, NOON);
const LONG = 'and so on, '.repeat(50);

/** One whose container waits, in the kubelet's words. */
const waiting = (name: string, reason: string, over: Partial<ReplicaView> = {}): ReplicaView =>
  replicaOf(name, {
    ready: false,
    worker: { state: 'Waiting', waiting: { reason, message: LONG }, restarts: 0 },
    cannotStart: `${reason}: ${LONG}`,
    health: unknown('it is not running'),
    ...over,
  });

/** Everything that can be the matter with one replica. */
const KINDS: readonly ((name: string) => ReplicaView)[] = [
  (name) => replicaOf(name),
  (name) => replicaOf(name, { terminating: true }),
  (name) => replicaOf(name, { health: unknown('it did not answer /health within 2000 ms') }),
  (name) => replicaOf(name, { health: known(healthOf({ held: 'Redis is out' }, { redis: OUT }), NOON) }),
  (name) => replicaOf(name, { health: known(healthOf({}, { supabase: REFUSED }), NOON) }),
  (name) => waiting(name, 'ImagePullBackOff'),
  (name) => waiting(name, 'CreateContainerError', { node: 'node2', scheduledAt: NOON - 400_000 }),
  ...(['hash', 'older'] as const).map((templateHash) => (name: string) => {
    const worker = { state: 'Waiting', waiting: { reason: 'CrashLoopBackOff' }, restarts: 3 } as const;
    return waiting(name, 'CrashLoopBackOff', { templateHash, worker });
  }),
  (name) => {
    const { scheduledAt: _none, ...nowhere } = replicaOf(name, { ready: false, unscheduledBecause: LONG });
    return { ...nowhere, worker: { state: 'Absent', restarts: 0 } };
  },
];

const check = fc.constantFrom(OK, OUT, REFUSED, unknown('it was not checked yet'));
const pools = fc.record({
  kinds: fc.array(fc.constantFrom(...KINDS), { maxLength: 5 }),
  mode: fc.constantFrom('Auto' as const, 'Recommend' as const, 'Paused' as const),
  maxRetries: fc.constantFrom(0, 3),
  ready: fc.constantFrom(0, 5, 100),
  redis: check,
  supabase: check,
  readable: fc.boolean(),
});

it('whatever is the matter with a pool, what was said of it is not said again by the passes that follow', () => {
  let said = 0;
  fc.assert(
    fc.property(pools, ({ kinds, mode, maxRetries, ready, redis, supabase, readable }) => {
      const pool = samplePool();
      const spec = { ...pool.spec, mode, restarts: { ...pool.spec.restarts, maxRetries } };
      const sized = stateOf({ pool: { ...pool, spec }, replicas: kinds.length, queue: { ready } });
      const seen = {
        replicas: known(
          kinds.map((make, i) => make(`p${i}`)),
          NOON,
        ),
        checks: { redis, supabase },
        queue: readable ? sized.queue : unknown('it cannot be read'),
      };
      let state: PoolState = { ...sized, ...seen };
      const reasons = Array.from({ length: 4 }, () => {
        const decision = decide(state);
        const after = afterApplying(state, decision);
        state = { ...after, ...seen, now: state.now + 100, pool: { ...after.pool, status: decision.status } };
        return toldBy(decision).map(({ reason }) => reason);
      });
      said += reasons[0]?.length ?? 0;
      // The second look may learn of the first what it had to wait for.
      expect(reasons.slice(2).flat()).toEqual([]);
    }),
    { numRuns: 500 },
  );
  expect(said).toBeGreaterThan(500);
});
