import { describe, expect, it } from 'vitest';
import { known, unknown } from '../known.ts';
import { isoTime } from '../time.ts';
import { planRestarts } from './plan.ts';
import {
  after,
  CRASHING,
  crashing,
  ledgerOf,
  podOf,
  SPEC,
  START,
  untilDeletion,
  viewOf,
  workOf,
} from './restarts.fixture.ts';
import type { RestartReplica, RestartView } from './view.ts';

const reasonsOf = (replicas: readonly RestartReplica[], over: Partial<RestartView> = {}) =>
  planRestarts(viewOf(replicas, over)).failures.map(({ reason, because }) => `${reason}: ${because}`);

const waiting = (reason: string, over: Partial<RestartReplica> = {}): RestartReplica =>
  podOf('x', {
    ready: false,
    scheduledAt: START - 301_000,
    work: unknown('it is not running'),
    worker: { state: 'Waiting', waiting: { reason, message: 'in words' }, restarts: 0 },
    ...over,
  });

const elsewhere = podOf('y', { node: 'node2', worker: { state: 'Running', restarts: 0, startedAt: START - 60_000 } });

describe('a replica has failed', () => {
  it.each<[string, RestartReplica[], string[]]>([
    ['in a crash loop', [crashing('x')], ['CrashLoop: its worker ended 4 times, last with exit code 1']],
    [
      'when it uses too much memory again and again, with the limit named',
      [
        crashing('x', {
          worker: { ...CRASHING, lastExit: { at: 1, code: 137, reason: 'OOMKilled' }, memoryLimit: '64Mi' },
        }),
      ],
      ['CrashLoop: its worker ended 4 times, last because it used more memory than its limit of 64Mi (OOMKilled)'],
    ],
    [
      'on a node that cannot make its container while another can',
      [waiting('ContainerCreating'), elsewhere],
      [
        'NodeCannotStart: node node1 could not make its container for 5 min (ContainerCreating: in words) while another node could',
      ],
    ],
  ])('%s', (_, replicas, reasons) => {
    expect(reasonsOf(replicas)).toEqual(reasons);
  });

  it.each<[string, RestartReplica[]]>([
    ['while the kubelet still starts it again in place', [crashing('x', { worker: { ...CRASHING, restarts: 2 } })]],
    ['while it runs, however often it ended', [podOf('x', { worker: { state: 'Running', restarts: 9 } })]],
    ['when the cluster takes it away', [crashing('x', { disrupted: true })]],
    ['when it is of an older template', [crashing('x', { templateHash: 'old' })]],
    ['without a node', [waiting('', { worker: { state: 'Absent', restarts: 0 }, scheduledAt: START })]],
    ['with an image that cannot be pulled', [waiting('ImagePullBackOff'), elsewhere]],
    ['with a configuration that is wrong', [waiting('CreateContainerConfigError'), elsewhere]],
    ['on a node that is slow', [waiting('ContainerCreating', { scheduledAt: START - 200_000 }), elsewhere]],
    [
      'when no other node has begun one since',
      [
        waiting('ContainerCreating'),
        podOf('y', { node: 'node2', worker: { state: 'Running', restarts: 0, startedAt: START - 302_000 } }),
      ],
    ],
    ['when it is silent', [podOf('x', { work: unknown('it did not answer') })]],
  ])('never %s', (_, replicas) => {
    expect(reasonsOf(replicas)).toEqual([]);
  });
});

describe('a replica is wedged', () => {
  const watch = (replicas: (second: number) => RestartReplica, seconds: number, over: Partial<RestartView> = {}) => {
    let view = viewOf([replicas(0)], over);
    let plan = planRestarts(view);
    for (let second = 5; second <= seconds; second += 5) {
      view = after(view, plan, { ms: 5000, replicas: known([replicas(second)], START + second * 1000) });
      plan = planRestarts(view);
    }
    return plan.failures.map(({ reason, because }) => `${reason}: ${because}`);
  };

  it('when it could take a job at every look for the whole time and took none', () => {
    expect(watch(() => podOf('x', { work: known(workOf({ active: 2 }), START) }), 115)).toEqual([]);
    expect(watch(() => podOf('x', { work: known(workOf({ active: 2 }), START) }), 120)).toEqual([
      'Wedged: it has taken no job for 2 min although jobs wait and 3 of its 5 slots are free',
    ]);
  });

  it.each<[string, (second: number) => RestartReplica, Partial<RestartView>]>([
    ['full', () => podOf('x', { work: known(workOf({ active: 5 }), START) }), {}],
    ['cordoned', () => podOf('x', { work: known(workOf({ cordoned: true }), START) }), {}],
    ['held', () => podOf('x', { work: known(workOf({ held: 'Redis is out' }), START) }), {}],
    ['not ready yet', () => podOf('x', { ready: false }), {}],
    ['told to end', () => podOf('x', { work: known(workOf({ stopping: true }), START) }), {}],
    ['in a pool where no job may start', () => podOf('x'), { jobsMayStart: false }],
    ['full for one moment', (s) => podOf('x', { work: known(workOf({ active: s === 60 ? 5 : 0 }), START) }), {}],
    ['silent for one moment', (s) => podOf('x', { work: s === 60 ? unknown('late') : known(workOf(), START) }), {}],
    ['fetching', (s) => podOf('x', { work: known(workOf({ lastFetch: s < 60 ? null : 'a' }), START) }), {}],
    ['a new process', (s) => podOf('x', { work: known(workOf({ processStart: s < 60 ? 'a' : 'b' }), START) }), {}],
  ])('never when it is %s', (_, replicas, over) => {
    expect(watch(replicas, 150, over)).toEqual([]);
  });

  it('and stays so when it is told to take no new job for that', () => {
    const found = watch((s) => podOf('x', { work: known(workOf({ cordoned: s > 120 }), START) }), 150);
    expect(found).toHaveLength(1);
  });
});

describe('a retry', () => {
  it('waits half of its backoff and a random part of the other half, then stands in the ledger before anything is deleted', () => {
    for (const [random, ms] of [
      [0, 5000],
      [0.5, 7500],
      [1, 10_000],
    ] as const) {
      const first = planRestarts(viewOf([crashing('x')], { random }));
      expect(first.ledger).toMatchObject({ used: 0, nextRetryAt: START + ms });
      expect(first.lookAt).toBe(START + ms);
      const early = planRestarts(after(viewOf([crashing('x')]), first, { ms: ms - 1 }));
      expect(early).toMatchObject({ ledger: { used: 0 }, lookAt: START + ms });
      const due = after(viewOf([crashing('x')]), first, { ms });
      const taken = planRestarts(due);
      expect(taken.delete).toBeUndefined();
      expect(taken.ledger).toMatchObject({ used: 1, pending: { pod: 'x', uid: 'uid-x', at: due.now } });
      expect(planRestarts(after(due, taken, { ms: 20 })).delete).toEqual({
        uid: 'uid-x',
        name: 'x',
        reason: 'CrashLoop',
        graceSeconds: 30,
        because: 'restarted (1 of 3 retries): its worker ended 4 times, last with exit code 1',
      });
    }
  });

  it('waits twice as long each time, up to the longest', () => {
    const wait = (used: number) =>
      (planRestarts(
        viewOf([crashing('x')], { random: 1, ledger: ledgerOf({ used }), spec: { ...SPEC, maxRetries: 99 } }),
      ).ledger?.nextRetryAt ?? 0) - START;
    expect([0, 1, 2, 3, 4, 5, 50].map(wait)).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
  });

  it('is not drawn anew while it waits, not even when the replica runs for a moment', () => {
    const view = viewOf([crashing('x')]);
    const first = planRestarts(view);
    const runs = planRestarts(after(view, first, { ms: 1000, replicas: known([podOf('x')], START), random: 0 }));
    expect(runs.ledger?.nextRetryAt).toBe(first.ledger?.nextRetryAt);
  });

  it('is never taken from the budget a second time by the leader that finds it, and is finished', () => {
    const found = ledgerOf({ used: 2, pending: { pod: 'x', uid: 'uid-x', at: START - 900, reason: 'CrashLoop' } });
    const plan = planRestarts(viewOf([crashing('x')], { ledger: found }));
    expect(plan).toMatchObject({ ledger: { used: 2 }, delete: { uid: 'uid-x' } });
    const gone = planRestarts(viewOf([crashing('z')], { ledger: found }));
    expect(gone.delete).toBeUndefined();
    expect(gone.ledger).toMatchObject({ used: 2 });
    expect(gone.ledger?.pending).toBeUndefined();
  });

  it('of a replica that runs jobs begins with a cordon, and deletes when they have ended, or after the drain limit', () => {
    const pending = { pod: 'x', uid: 'uid-x', at: START - 20_000, reason: 'Wedged' } as const;
    const planFor = (work: Parameters<typeof workOf>[0], at = pending.at) =>
      planRestarts(
        viewOf([podOf('x', { work: known(workOf(work), START) })], {
          ledger: ledgerOf({ used: 1, pending: { ...pending, at } }),
          memory: { ...viewOf([]).memory, telling: { uid: 'uid-x', at: START, inVainMs: START - at } },
        }),
      );
    expect(planFor({ active: 3 })).toMatchObject({ cordon: ['uid-x'] });
    expect(planFor({ active: 3 }).delete).toBeUndefined();
    expect(planFor({ active: 1, cordoned: true }).delete).toBeUndefined();
    // Its pod's own grace: a job that it took since it was asked may end, and what is left is handed back.
    const { delete: deletion, cordon } = planFor({ active: 0, cordoned: true }, START - 100);
    // Else the drain would give it back to work in the pass that deletes it.
    expect(cordon).toEqual(['uid-x']);
    expect(deletion).toMatchObject({ uid: 'uid-x' });
    expect(deletion).not.toHaveProperty('graceSeconds');
    expect(planFor({ active: 0 }, START - 100)).toMatchObject({ cordon: ['uid-x'] });
    expect(planFor({ active: 0 }).delete).toBeDefined();
    const late = planFor({ active: 3 }, START - 900_000).delete;
    expect(late).toMatchObject({ uid: 'uid-x' });
    expect(late).not.toHaveProperty('graceSeconds');
  });

  it('of a replica that runs rests on what it says in that moment, and on a cordon: one that holds itself may take a job', () => {
    const pending = { pod: 'x', uid: 'uid-x', at: START - 5000, reason: 'CannotReachDependency' } as const;
    const planFor = (work: Parameters<typeof workOf>[0], askedAt: number) =>
      planRestarts(
        viewOf([podOf('x', { work: known(workOf(work), askedAt) })], { ledger: ledgerOf({ used: 1, pending }) }),
      );
    const idle = { active: 0, cordoned: true };
    expect(planFor(idle, START - 2000).delete).toBeDefined();
    expect(planFor(idle, START - 2001)).toMatchObject({ cordon: ['uid-x'], ledger: { pending } });
    expect(planFor(idle, START - 2001).delete).toBeUndefined();
    expect(planFor({ active: 0, held: 'Redis is out' }, START)).toMatchObject({ cordon: ['uid-x'] });
    expect(planFor({ active: 0, held: 'Redis is out' }, START).delete).toBeUndefined();
  });

  it('of a replica without Redis waits for its jobs no longer than it can hold them', () => {
    const ledger = ledgerOf({
      used: 1,
      pending: { pod: 'x', uid: 'uid-x', at: START, reason: 'CannotReachDependency' },
    });
    const planFor = (dependency: 'redis' | 'supabase', ms: number) =>
      planRestarts(
        viewOf([podOf('x', { work: known(workOf({ active: 2, held: 'out' }), START) })], {
          ledger,
          localFaults: [{ uid: 'uid-x', name: 'x', dependency, since: START - ms, because: 'times out' }],
        }),
      ).delete;
    expect(planFor('redis', 59_000)).toBeUndefined();
    expect(planFor('redis', 60_000)).toBeDefined();
    expect(planFor('supabase', 60_000)).toBeUndefined();
  });

  it('waits, taken or not, while nothing may be restarted, and while the replica is silent', () => {
    const over = { noRestarts: 'Redis is out' };
    const ledger = ledgerOf({ nextRetryAt: START - 1 });
    expect(planRestarts(viewOf([crashing('x')], { ledger, ...over }))).toMatchObject({ ledger: { used: 0 } });
    const pending = { pod: 'x', uid: 'uid-x', at: START - 900_000, reason: 'Wedged' } as const;
    const begun = ledgerOf({ used: 1, pending });
    expect(planRestarts(viewOf([crashing('x')], { ledger: begun, ...over })).delete).toBeUndefined();
    const silent = podOf('x', { work: unknown('it did not answer') });
    expect(planRestarts(viewOf([silent], { ledger: begun })).delete).toBeUndefined();
  });

  it('comes at most once a minute in a small pool, and for a tenth of a large one', () => {
    const fleet = (n: number) => Array.from({ length: n }, (_, i) => crashing(`x${i}`));
    const taken = (n: number, over: Partial<RestartView> = {}) => {
      let view = viewOf(fleet(n), { spec: { ...SPEC, maxRetries: 50, backoffBaseMs: 2, backoffMaxMs: 2 }, ...over });
      let deletions = 0;
      for (let ms = 0; ms < 60_000; ms += 100) {
        const plan = planRestarts(view);
        const gone = plan.delete?.uid;
        if (gone !== undefined) deletions += 1;
        const now = view.replicas.ok ? view.replicas.value : [];
        const next = now.map((pod) => (pod.uid === gone ? crashing(`after-${pod.name}`) : pod));
        view = after(view, plan, { ms: 100, replicas: known(next, view.now) });
      }
      return deletions;
    };
    expect(taken(5)).toBe(1);
    expect(taken(40)).toBe(4);
    expect(taken(40, { rampLimit: 2 })).toBe(2);
    expect(taken(40, { rampLimit: 0 })).toBe(0);
    expect(taken(5, { ledger: ledgerOf({ used: 1, lastRetryAt: START - 100 }) })).toBe(0);
    expect(taken(40, { memory: { ...viewOf([]).memory, watchingSince: START } })).toBe(1);
  });
});

describe('the budget', () => {
  it('when it is spent, deletes nothing more, says so, cordons what answers, and lets the others work', () => {
    const ledger = ledgerOf({ used: 3 });
    const stuck = podOf('s', { work: known(workOf(), START) });
    const faults = [
      { uid: 'uid-s', name: 's', dependency: 'supabase', since: START - 1, because: 'answers 503' },
    ] as const;
    const plan = planRestarts(viewOf([crashing('x'), stuck, podOf('y')], { ledger, localFaults: faults }));
    expect(plan).toMatchObject({ ledger: { used: 3 }, cordon: ['uid-s'], budget: { state: 'Exhausted', left: 0 } });
    expect(plan.addNone).toBeUndefined();
    expect(plan.budget.message).toBe(
      'all 3 retries are spent; x: its worker ended 4 times, last with exit code 1; no more replicas of this template are restarted: correct spec.workers.template, or annotate the pool with agentpool.dev/retry-at and the time',
    );
  });

  it('when it is spent and no replica of the template ever became ready, lets none be added', () => {
    const ledger = ledgerOf({ used: 3, everReady: false });
    expect(planRestarts(viewOf([crashing('x')], { ledger })).addNone).toContain('ever became ready');
    expect(planRestarts(viewOf([crashing('x'), podOf('y')], { ledger })).addNone).toBeUndefined();
  });

  it('lets none be added either in the moment in which a crash loop runs, but the first one from zero', () => {
    const ledger = ledgerOf({ used: 3, everReady: false });
    const running = podOf('x', { ready: false, worker: { state: 'Running', restarts: 4, startedAt: START - 100 } });
    const plan = planRestarts(viewOf([running], { ledger }));
    expect(plan.failures).toEqual([]);
    expect(plan.addNone).toContain('ever became ready');
    expect(planRestarts(viewOf([], { ledger })).addNone).toBeUndefined();
  });

  it('is a new one for a new template', () => {
    const ledger = ledgerOf({ used: 3, lastFailureAt: START });
    expect(planRestarts(viewOf([], { ledger, templateHash: 'b' })).ledger).toEqual({
      templateHash: 'b',
      used: 0,
      everReady: false,
    });
  });

  it('is given back by the annotation, at once and once', () => {
    const ledger = ledgerOf({ used: 3, lastRetryAt: START - 60_000, nextRetryAt: START + 99_000 });
    const usedWith = (retryAt: string, over = {}) =>
      planRestarts(viewOf([], { ledger, retryAt, ...over })).ledger?.used;
    expect(usedWith(isoTime(START - 1000))).toBe(0);
    expect(usedWith(isoTime(START - 60_000))).toBe(3);
    expect(usedWith(isoTime(START + 60_000))).toBe(3);
    const malformed = planRestarts(viewOf([], { ledger, retryAt: 'now' }));
    expect(malformed.ledger?.used).toBe(3);
    expect(malformed.budget.message).toContain('is not a time');
    const under = { pod: 'x', uid: 'uid-x', at: START - 60_000, reason: 'Wedged' } as const;
    expect(
      usedWith(isoTime(START), {
        replicas: known([podOf('x')], START),
        ledger: { ...ledger, pending: under },
      }),
    ).toBe(1);
  });

  it('is full again when nothing failed for long and a replica made after the last retry has done work', () => {
    const ledger = ledgerOf({ used: 2, lastFailureAt: START - 600_000, lastRetryAt: START - 600_000 });
    const usedWith = (replica: Partial<RestartReplica>, over: Partial<RestartView> = {}) =>
      planRestarts(viewOf([podOf('x', replica)], { ledger, ...over })).ledger?.used;
    const worked = { work: known(workOf({ hasFinished: true }), START) };
    expect(usedWith(worked)).toBe(0);
    expect(usedWith({})).toBe(2);
    expect(usedWith({ ...worked, createdAt: START - 700_000 })).toBe(2);
    expect(usedWith(worked, { ledger: { ...ledger, lastFailureAt: START - 599_000 } })).toBe(2);
    expect(usedWith(worked, { memory: { ...viewOf([]).memory, watchingSince: START - 599_000 } })).toBe(2);
  });

  it('is not touched under policy Never: failures are said, a retry that was begun is called off', () => {
    const pending = { pod: 'x', uid: 'uid-x', at: START - 900, reason: 'CrashLoop' } as const;
    const spec = { ...SPEC, policy: 'Never' } as const;
    const { view, plan } = untilDeletion(
      viewOf([crashing('x')], { spec, ledger: ledgerOf({ used: 1, pending }) }),
      600_000,
    );
    expect(view.now - START).toBeGreaterThan(600_000);
    expect(plan).toMatchObject({ ledger: { used: 1 }, budget: { state: 'Off' } });
    expect(plan.ledger?.pending).toBeUndefined();
    expect(plan.budget.message).toContain('x: its worker ended 4 times');
  });

  it('stays as it stands while the pods cannot be seen', () => {
    const ledger = ledgerOf({ used: 2, pending: { pod: 'x', uid: 'u', at: 1, reason: 'Wedged' } });
    const plan = planRestarts(viewOf([], { ledger, replicas: unknown('not listed yet') }));
    expect(plan).toMatchObject({ ledger, budget: { state: 'Unknown' } });
    expect(planRestarts(viewOf([crashing('x')], { ledger, templateHash: undefined as never }))).toMatchObject({
      ledger,
    });
  });
});
