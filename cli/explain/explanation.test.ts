import { describe, expect, it } from 'vitest';
import { decide } from '../../operator/core/decide.ts';
import { NOON, samplePool, stateOf } from '../../operator/core/state.fixture.ts';
import { explain, renderExplanation } from './explanation.ts';

/** A pool with the status that the operator writes of it. */
function decided(over: Parameters<typeof samplePool>[0], state: Parameters<typeof stateOf>[0]) {
  const pool = samplePool(over);
  return { ...pool, status: decide(stateOf({ ...state, pool })).status };
}

describe('an explanation', () => {
  it('says the decision, its inputs, and every rule that bound it, in their order', () => {
    const pool = decided({ maxReplicas: 5 }, { replicas: 1, queue: { ready: 214, active: 5, oldestWaitMs: 12_000 } });
    const text = renderExplanation(explain(pool), NOON + 90_000);
    expect(text).toContain('agents/agent-jobs: HeldToMaximum, since 90 s');
    expect(text).toContain('5 active + 214 waiting');
    expect(text).toMatch(/5 wanted, 5 there, \d ready/);
    expect(text).toMatch(/waiting +214 {2}the oldest for 12s/);
    expect(text).toMatch(/slots a replica +5 /);
    expect(text).toContain('  1. 44 → 5  HeldToMaximum: held to 5 by maxReplicas');
  });

  it('says that nothing bound a number that is what the queue needs', () => {
    const text = renderExplanation(explain(decided({}, { queue: { ready: 12 } })), NOON);
    expect(text).toContain('none: the number is what the queue needs');
    expect(text).not.toContain('Conditions');
  });

  it('says unknown where nothing was read, never 0, and which condition is not as it should be', () => {
    const pool = decided(
      {},
      { replicas: 2, queue: {}, redis: { ok: false, trouble: 'RedisAuthFailed', because: 'WRONGPASS' } },
    );
    const unread = { ...pool, status: { ...pool.status, queue: { seen: true } } };
    const text = renderExplanation(explain(unread), NOON);
    expect(text).toMatch(/waiting +unknown/);
    expect(text).toMatch(/mean duration +unknown {2}counts as the wait target/);
    const troubled = {
      ...unread,
      status: {
        ...unread.status,
        conditions: [
          {
            type: 'Stalled',
            status: 'True',
            reason: 'RedisAuthFailed',
            message: 'WRONGPASS',
            observedGeneration: 1,
            lastTransitionTime: '2026-01-05T12:00:00Z',
          },
        ] as const,
      },
    };
    expect(renderExplanation(explain(troubled), NOON)).toContain('  Stalled: RedisAuthFailed: WRONGPASS');
  });

  it('names the replicas of which there is something to say, with the reason, and no more of them than fit on a screen', () => {
    const row = (pod: string) => ({ pod, phase: 'Held', containerRestarts: 0 }) as const;
    const pool = decided({}, { replicas: 1, queue: {} });
    const withWorkers = (workers: NonNullable<NonNullable<typeof pool.status>['workers']>) =>
      renderExplanation(explain({ ...pool, status: { ...pool.status, workers } }), NOON);
    const text = withWorkers([{ ...row('a'), because: 'Supabase answers 503' }, row('b')]);
    expect(text).toContain('\nReplicas\n  a: Held: Supabase answers 503\n');
    expect(text).not.toContain('  b:');
    expect(withWorkers([{ ...row('a'), because: '\u001B[2Jout' }])).toContain('  a: Held: \uFFFD[2Jout\n');
    const many = withWorkers(Array.from({ length: 200 }, (_, i) => ({ ...row(`p${i}`), because: 'out' })));
    expect(many).toContain('  p9: Held: out\n  and 190 more\n');
    expect(withWorkers([row('b')])).not.toContain('\nReplicas\n');
  });

  it('says so of a pool that no operator has seen, and of a change that it has not seen yet', () => {
    expect(renderExplanation(explain(samplePool()), NOON)).toContain('the operator has not decided anything yet');
    const pool = { ...decided({}, {}), generation: 2 };
    expect(renderExplanation(explain(pool), NOON)).toContain('about an older spec');
  });
});
