import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rampLimit } from './breaker.ts';
import { replicasOf, Watched } from './dependencies.fixture.ts';
import { openMemory } from './judge.ts';

describe('who is sick', () => {
  it.each([
    // operator, replicas, sick, frozen
    ['g', 'ggg', 'Nobody', false],
    ['g', '', 'Nobody', false],
    ['g', '---', 'Nobody', false],
    ['o', 'ogg', 'DependencyUnavailable', true],
    ['o', 'ooo', 'DependencyUnavailable', true],
    ['r', 'rrr', 'DependencyUnavailable', true],
    ['r', 'o--', 'DependencyUnavailable', true],
    ['o', '', 'DependencyUnavailable', true],
    ['o', '---', 'DependencyUnavailable', true],
    ['g', 'oo', 'ReplicasCannotReach', true],
    ['g', 'rr', 'ReplicasCannotReach', true],
    ['g', 'oogg', 'ReplicasCannotReach', true],
    ['g', 'oo-----', 'ReplicasCannotReach', true],
    ['-', 'oog', 'ReplicasCannotReach', true],
    ['o', 'ggg', 'OperatorCannotReach', false],
    ['o', 'g--', 'OperatorCannotReach', false],
    ['r', 'ggg', 'OperatorCannotReach', false],
    ['r', '', 'OperatorCannotReach', false],
    ['g', 'ogg', 'Replica', false],
    ['g', 'o', 'Replica', false],
    ['g', 'ooggggg', 'Replica', false],
    ['-', 'ogg', 'Unknown', false],
    ['-', 'ggg', 'Unknown', false],
  ])('operator %s, replicas %s: %s', (operator, replicas, sick, frozen) => {
    expect(new Watched().look({ operator, replicas })).toMatchObject({ sick, frozen });
  });

  it('says each with its numbers and its cause', () => {
    const said = (operator: string, replicas: string) => new Watched().look({ operator, replicas }).message;
    expect(said('o', 'oog')).toBe(
      'Supabase is out: for the operator it answers 503, and 2 of 3 replicas cannot reach it either; nothing is restarted or removed and no more replicas are added until it is over',
    );
    expect(said('g', 'rrr')).toBe(
      '3 of 3 replicas cannot reach Supabase (pod-0: refuses the key (401)) although the operator can: look at the credentials, the network policy and the pool limit of the workers; nothing is restarted or removed and no more replicas are added until it is over',
    );
    expect(said('o', 'ggg')).toBe(
      'the operator cannot reach Supabase: it answers 503; 3 replicas can, so its own way or key is broken',
    );
    expect(said('g', 'ogg')).toBe('1 of 3 replicas cannot reach Supabase (pod-0: answers 503); the operator can');
    expect(said('g', 'gg')).toBe('Supabase answers the operator and 2 replicas');
  });

  it('says of one that nobody has reached yet that it may not be there, and says that it is out from then on', () => {
    const watched = new Watched();
    const out = { operator: 'o', replicas: '' };
    expect(watched.keep(2, out).message).toBe(
      'Supabase was never reached yet: for the operator it answers 503; nothing is restarted or removed and no more replicas are added until it is reached',
    );
    watched.look({ operator: 'g', replicas: '' });
    expect(watched.look(out).message).toMatch(/^Supabase is out: .* until it is over$/);
  });

  it('freezes nothing for a dependency that is optional, and restarts nobody for it', () => {
    const over = { mode: 'Optional' as const };
    expect(new Watched().keep(5, { operator: 'o', replicas: 'oo', over })).toMatchObject({ frozen: false, local: [] });
    expect(new Watched().keep(5, { operator: 'g', replicas: 'og', over })).toMatchObject({ frozen: false, local: [] });
  });

  it('lets a replica that failed and fell silent count as failing for two minutes', () => {
    const watched = new Watched();
    watched.look({ operator: 'g', replicas: 'go' });
    expect(watched.look({ operator: 'g', replicas: 'g-' })).toMatchObject({ sick: 'Replica' });
    expect(watched.keep(12, { operator: 'g', replicas: 'g-' })).toMatchObject({ sick: 'Nobody' });
  });
});

describe('a local fault', () => {
  const local = (times: number, operator: string, replicas: string, over = {}) =>
    new Watched().keep(times, { operator, replicas, over }).local.map(({ name }) => name);

  it('is one after as many failed checks in a row as the threshold', () => {
    expect(local(2, 'g', 'ogg')).toEqual([]);
    expect(local(3, 'g', 'ogg')).toEqual(['pod-0']);
  });

  it('is none when a check between them succeeded, or when the same check is told again', () => {
    const watched = new Watched();
    watched.keep(2, { operator: 'g', replicas: 'ogg' });
    watched.look({ operator: 'g', replicas: 'ggg' });
    expect(watched.keep(2, { operator: 'g', replicas: 'ogg' }).local).toEqual([]);
    const told = new Watched();
    const same = replicasOf('ogg', told.now);
    expect(told.keep(3, { operator: 'g', replicas: '', over: { replicas: same } }).local).toEqual([]);
  });

  it('is one of a replica that is alone in its pool', () => {
    expect(local(3, 'g', 'o')).toEqual(['pod-0']);
  });

  it('is none while more of the others are silent than well', () => {
    expect(local(3, 'g', 'og--')).toEqual([]);
    expect(local(3, 'g', 'og-')).toEqual(['pod-0']);
  });

  it('is none on the word of an operator that looked before the replica failed', () => {
    const watched = new Watched();
    const before = watched.look({ operator: 'g', replicas: 'ggg' }).memory;
    const operator = { ok: true, value: { ok: true }, at: watched.now } as const;
    expect(before).toBeDefined();
    expect(watched.keep(5, { operator: 'g', replicas: 'ogg', over: { operator } }).local).toEqual([]);
  });

  it('is none while a rollout is under way: what differs may be the template', () => {
    expect(local(4, 'g', 'ogg', { rollingOut: true })).toEqual([]);
  });

  it('is none for credentials that no replica of this template is let in with', () => {
    expect(local(4, 'g', 'r')).toEqual([]);
    expect(local(4, 'g', 'rgg')).toEqual(['pod-0']);
  });
});

describe('the breaker', () => {
  it('closes after two good checks of the operator and a replica that reaches the dependency too', () => {
    const watched = new Watched();
    watched.look({ operator: 'o', replicas: 'ooo' });
    expect(watched.look({ operator: 'g', replicas: 'ooo' })).toMatchObject({ breaker: 'Open' });
    expect(watched.look({ operator: 'g', replicas: 'ooo' })).toMatchObject({ breaker: 'HalfOpen', frozen: true });
    expect(watched.look({ operator: 'g', replicas: 'gg-' })).toMatchObject({ breaker: 'Closed', frozen: false });
  });

  it('begins to count anew after a bad check of the operator', () => {
    const watched = new Watched();
    watched.look({ operator: 'o', replicas: 'ooo' });
    watched.look({ operator: 'g', replicas: 'ooo' });
    watched.look({ operator: 'o', replicas: 'ooo' });
    expect(watched.look({ operator: 'g', replicas: 'ggg' })).toMatchObject({ breaker: 'Open' });
    expect(watched.look({ operator: 'g', replicas: 'ggg' })).toMatchObject({ breaker: 'Closed' });
  });

  it('stays open while half of the replicas cannot reach what the operator can, and closes when they can', () => {
    const watched = new Watched();
    expect(watched.keep(9, { operator: 'g', replicas: 'oogg' })).toMatchObject({ breaker: 'HalfOpen', frozen: true });
    expect(watched.look({ operator: 'g', replicas: 'oggg' })).toMatchObject({ breaker: 'Closed' });
  });

  it('counts the failures of a replica anew after an outage', () => {
    const watched = new Watched();
    watched.keep(6, { operator: 'o', replicas: 'ooo' });
    watched.look({ operator: 'g', replicas: 'ogg' });
    expect(watched.look({ operator: 'g', replicas: 'ogg' })).toMatchObject({ breaker: 'Closed', local: [] });
    expect(watched.keep(2, { operator: 'g', replicas: 'ogg' }).local).toEqual([]);
    expect(watched.look({ operator: 'g', replicas: 'ogg' }).local).toHaveLength(1);
  });

  it('waits for the canary while jobs wait and no replica is there, and closes at once when none wait', () => {
    const busy = new Watched();
    busy.look({ operator: 'o', replicas: 'o' });
    expect(busy.keep(20, { operator: 'g', replicas: '', over: { backlog: true } })).toMatchObject({
      breaker: 'HalfOpen',
    });
    expect(busy.look({ operator: 'g', replicas: 'g', over: { backlog: true } })).toMatchObject({ breaker: 'Closed' });
    const quiet = new Watched();
    quiet.look({ operator: 'o', replicas: '' });
    expect(quiet.keep(2, { operator: 'g', replicas: '' })).toMatchObject({ breaker: 'Closed' });
  });

  it('asks for no canary after an outage that no replica has met', () => {
    const watched = new Watched();
    const over = { backlog: true };
    watched.look({ operator: 'o', replicas: '', over });
    expect(watched.look({ operator: 'g', replicas: '', over })).toMatchObject({ breaker: 'Open', frozen: true });
    expect(watched.look({ operator: 'g', replicas: '', over })).toMatchObject({ breaker: 'Closed', frozen: false });
  });

  it('lets a canary start while the dependency is out, and none in the seconds in which one more good check ends it', () => {
    const watched = new Watched();
    const over = { backlog: true };
    expect(watched.look({ operator: 'o', replicas: '', over })).toMatchObject({ frozen: true, canary: true });
    expect(watched.look({ operator: 'g', replicas: '', over })).toMatchObject({ frozen: true, canary: false });
    expect(watched.look({ operator: '-', replicas: '', over })).toMatchObject({ frozen: true, canary: true });
  });

  it('waits for the word of a canary that runs before the operator is sure', () => {
    const watched = new Watched();
    const over = { backlog: true };
    watched.look({ operator: 'o', replicas: '', over });
    watched.look({ operator: 'g', replicas: '-', over });
    expect(watched.look({ operator: 'g', replicas: '-', over })).toMatchObject({ breaker: 'HalfOpen', frozen: true });
    expect(watched.look({ operator: 'g', replicas: 'g', over })).toMatchObject({ breaker: 'Closed', frozen: false });
  });

  it('waits for a replica again when one that ran has failed after it opened', () => {
    const watched = new Watched();
    const over = { backlog: true };
    watched.look({ operator: 'o', replicas: '', over });
    watched.look({ operator: 'o', replicas: 'o', over });
    expect(watched.keep(3, { operator: 'g', replicas: '', over })).toMatchObject({ breaker: 'HalfOpen' });
  });

  it('waits a minute for replicas that say nothing at all, and no longer', () => {
    const watched = new Watched();
    watched.look({ operator: 'o', replicas: '---' });
    expect(watched.keep(6, { operator: 'g', replicas: '---' })).toMatchObject({ breaker: 'HalfOpen' });
    expect(watched.look({ operator: 'g', replicas: '---' })).toMatchObject({ breaker: 'Closed' });
  });

  it('closes when the replicas show that only the own way of the operator is broken', () => {
    const watched = new Watched();
    watched.look({ operator: 'o', replicas: '' });
    expect(watched.look({ operator: 'o', replicas: 'g' })).toMatchObject({ breaker: 'Open' });
    expect(watched.look({ operator: 'o', replicas: 'g' })).toMatchObject({ breaker: 'Closed' });
  });

  it('is open from the start for a leader that comes in an outage', () => {
    const watched = new Watched();
    watched.memory = openMemory('DependencyUnavailable', { since: watched.now, metReplicas: true, reached: true });
    expect(watched.look({ operator: 'g', replicas: 'ggg' })).toMatchObject({ breaker: 'Open' });
    expect(watched.look({ operator: 'g', replicas: 'ggg' })).toMatchObject({ breaker: 'Closed' });
  });

  it('lets restarts go one, two and four a minute after it closed, and freely then', () => {
    const after = (ms: number) => rampLimit({ state: 'Closed', closedAt: 0 }, ms);
    expect([0, 59_999, 60_000, 120_000, 179_999, 180_000].map(after)).toEqual([1, 1, 2, 4, 4, undefined]);
    expect(rampLimit({ state: 'Closed' }, 5)).toBeUndefined();
    expect(rampLimit({ state: 'Open', reason: 'DependencyUnavailable', since: 0, metReplicas: true, good: 2 }, 5)).toBe(
      0,
    );
  });
});

const letter = fc.constantFrom('g', 'o', 'r', '-');
const looks = fc.array(
  fc.record({ operator: letter, replicas: fc.string({ unit: letter, maxLength: 6 }), backlog: fc.boolean() }),
  { minLength: 1, maxLength: 30 },
);

describe('for any history of checks', () => {
  it('nobody is sick by a local fault while the breaker is open, or while the operator knows nothing', () => {
    fc.assert(
      fc.property(looks, (history) => {
        const watched = new Watched();
        for (const { operator, replicas, backlog } of history) {
          const verdict = watched.look({ operator, replicas, over: { backlog } });
          if (verdict.frozen || operator !== 'g') expect(verdict.local).toEqual([]);
          for (const { uid } of verdict.local) expect(replicas[Number(uid.slice(4))]).not.toBe('g');
          expect(verdict.message).not.toMatch(/undefined|NaN|\n/);
        }
      }),
    );
  });

  it('fewer replicas are ever sick by a local fault than cannot be a matter of all of them', () => {
    fc.assert(
      fc.property(looks, (history) => {
        const watched = new Watched();
        for (const { operator, replicas } of history) {
          const { local, counts } = watched.look({ operator, replicas });
          if (local.length > 0) expect(local.length).toBeLessThan(Math.max(2, (counts.healthy + counts.unhealthy) / 2));
        }
      }),
    );
  });

  it('the breaker closes when all is well again, with or without replicas, whatever was before', () => {
    fc.assert(
      fc.property(looks, fc.nat({ max: 4 }), (history, replicas) => {
        const watched = new Watched();
        for (const { operator, replicas: each } of history) watched.look({ operator, replicas: each });
        expect(watched.keep(3, { operator: 'g', replicas: 'g'.repeat(replicas) })).toMatchObject({ breaker: 'Closed' });
      }),
    );
  });

  it('the same look twice changes nothing the second time', () => {
    fc.assert(
      fc.property(looks, (history) => {
        const watched = new Watched();
        for (const { operator, replicas, backlog } of history) {
          const before = watched.memory;
          const first = watched.look({ operator, replicas, over: { backlog } });
          const again = new Watched();
          again.now = watched.now - 10_000;
          again.memory = before;
          expect(again.look({ operator, replicas, over: { backlog } })).toEqual(first);
          again.now -= 10_000;
          const second = again.look({ operator, replicas, over: { backlog } });
          if (first.breaker === second.breaker) expect(second.memory).toEqual(first.memory);
          else expect(first.breaker).toBe('Open');
        }
      }),
    );
  });
});
