import { describe, expect, it } from 'vitest';
import { known } from '../known.ts';
import { planDrain } from './plan.ts';
import { ALL, fingerprintOf } from './settled.ts';
import { type DrainReplica, type DrainView, FIRST_DRAIN_MEMORY } from './view.ts';

const NOW = 1_767_614_400_000;

const replica = (name: string, over: Partial<DrainReplica> = {}): DrainReplica => ({
  name,
  uid: name,
  createdAt: NOW - 600_000,
  running: true,
  ready: true,
  restarts: 0,
  answer: known({ name, processStart: 'p', active: 0, cordoned: false, lastFinished: null }, NOW),
  ...over,
});

const three = [replica('a'), replica('b'), replica('c')];
const oneMarked = [replica('a', { mark: { of: 'an earlier proof', beside: fingerprintOf(three) } }), ...three.slice(1)];

/** Five were asked for, and the quota lets three be. */
const refusedView = (over: Partial<DrainView> = {}): DrainView => ({
  now: NOW,
  epoch: 'e',
  wanted: 1,
  deployment: { resourceVersion: '1', replicas: 5, generation: 2, observedGeneration: 2, fenced: true, behind: false },
  replicaSets: [
    { name: 'set', generation: 2, observedGeneration: 2, replicas: 5, status: { replicas: 3, unmarked: 2 } },
  ],
  refused: true,
  asked: true,
  replicas: oneMarked,
  failed: new Set(),
  activeJobs: known({ total: 0, unnamed: 0, byName: {} }, NOW),
  memory: FIRST_DRAIN_MEMORY,
  timeoutMs: 900_000,
  onTimeout: 'Wait',
  ...over,
});

describe('a number that the cluster refuses to fill', () => {
  it.each([
    ['a replica is marked', oneMarked],
    ['none is marked', three],
  ])('is lowered to the replicas that there are, and takes none away, where %s', (_, replicas) => {
    expect(planDrain(refusedView({ replicas })).lower).toEqual({ replicas: 3, proven: [] });
  });

  it('is followed by taking back the mark of another proof, so that the drain goes on', () => {
    const { deployment, replicaSets } = refusedView();
    const filled = refusedView({
      refused: false,
      deployment: { ...deployment, replicas: 3 },
      replicaSets: replicaSets.map((set) => ({ ...set, replicas: 3 })),
    });
    expect(planDrain(filled).steps).toContainEqual({ kind: 'unmark', uid: 'a', name: 'a' });
  });

  it('stays while it is wanted, and while the controllers are behind', () => {
    expect(planDrain(refusedView({ wanted: 5 })).lower).toBeUndefined();
    const { deployment } = refusedView();
    expect(planDrain(refusedView({ deployment: { ...deployment, observedGeneration: 1 } })).lower).toBeUndefined();
  });
});

describe('while Kubernetes carries out a lower number', () => {
  const told = (name: string, over: Partial<DrainReplica> = {}) =>
    replica(name, {
      answer: known({ name, processStart: 'p', active: 0, cordoned: true, lastFinished: null }, NOW),
      ready: false,
      ...over,
    });
  const replicas = [told('a', { mark: { of: 'p', beside: fingerprintOf(three) } }), told('b'), told('c')];
  const isBeingCarriedOut = (wanted: number) => {
    const { deployment, replicaSets } = refusedView();
    const sets = replicaSets.map((set) => ({ ...set, replicas: 2, status: { replicas: 3, unmarked: 2 } }));
    return refusedView({
      refused: false,
      wanted,
      deployment: { ...deployment, replicas: 2 },
      replicaSets: sets,
      replicas,
    });
  };
  const givenBack = (wanted: number) =>
    planDrain(isBeingCarriedOut(wanted)).steps.flatMap(({ kind, uid }) => (kind === 'uncordon' ? [uid] : []));

  it('gives no other replica back to work for the one that goes', () => {
    expect(givenBack(0)).toEqual([]);
    expect(givenBack(1)).toEqual(['c']);
  });

  it('gives all others back when none but that one is to go', () => {
    expect(givenBack(2)).toEqual(['b', 'c']);
  });
});

describe('a replica that somebody took a label of its template from', () => {
  const lostLabels = { 'agentpool.dev/serving': 'true' };
  const three = [replica('a', { lostLabels }), replica('b'), replica('c')];
  const counted = (unmarked: number, replicas: readonly DrainReplica[]): DrainView => {
    const { deployment } = refusedView();
    const set = { name: 'set', generation: 2, observedGeneration: 2, replicas: 3, status: { replicas: 3, unmarked } };
    return refusedView({
      refused: false,
      wanted: 3,
      deployment: { ...deployment, replicas: 3 },
      replicaSets: [set],
      replicas,
    });
  };

  it('gets it back when the ReplicaSet has counted that, whatever the pool wants, and takes jobs meanwhile', () => {
    const relabel = { kind: 'relabel', uid: 'a', name: 'a', labels: lostLabels };
    expect(planDrain(counted(2, three)).steps).toEqual([relabel]);
    expect(planDrain({ ...counted(2, three), wanted: 2 }).steps).toContainEqual(relabel);
  });

  it('waits while the ReplicaSet counts another number: it cannot be told who is counted', () => {
    expect(planDrain(counted(3, three)).steps).toEqual([]);
    expect(planDrain(counted(1, three)).steps).toEqual([]);
  });

  it('holds up every new mark until it has it again, a mark of one that is proven idle and shown not ready too', () => {
    const said = { name: 'c', processStart: 'p', active: 0, cordoned: true, lastFinished: null };
    const idle = replica('c', { ready: false, answer: known(said, NOW) });
    const since = NOW - 5000;
    const cordon = { processStart: 'p', since, until: NOW + 50_000, idle: { since, shownReady: true } };
    const marksOf = (unmarked: number, others: readonly DrainReplica[]) =>
      planDrain({
        ...counted(unmarked, [...others, idle]),
        wanted: 2,
        memory: { ...FIRST_DRAIN_MEMORY, cordons: { c: cordon } },
      }).steps.map(({ kind, name }) => `${kind} ${name}`);
    expect(marksOf(2, three.slice(0, 2))).toEqual(['relabel a']);
    expect(marksOf(3, [replica('a'), replica('b')])).toEqual(['mark c']);
  });

  it('gets it back together with marks that are taken back, and before another one is marked', () => {
    const withMark = [...three.slice(0, 2), replica('c', { mark: { of: 'another proof', beside: 'others' } })];
    expect(planDrain(counted(1, withMark)).steps.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'unmark c',
      'relabel a',
    ]);
  });
});

describe('a replica that has failed', () => {
  const busy = replica('b', {
    answer: known({ name: 'b', processStart: 'p', active: 4, cordoned: false, lastFinished: null }, NOW),
  });
  const told = {
    cordons: { b: { processStart: 'p', since: NOW - 60_000, until: NOW + 50_000 } },
  } as const;
  const cordonedBusy = {
    ...busy,
    answer: known({ name: 'b', processStart: 'p', active: 4, cordoned: true, lastFinished: null }, NOW),
  };
  /** Three replicas, of which b has failed, and `wanted` are wanted. */
  const viewWith = (wanted: number, over: Partial<DrainView> = {}): DrainView => ({
    ...refusedView(),
    wanted,
    deployment: { ...refusedView().deployment, replicas: 3 },
    replicaSets: [
      { name: 'set', generation: 2, observedGeneration: 2, replicas: 3, status: { replicas: 3, unmarked: 3 } },
    ],
    refused: false,
    replicas: [replica('a'), busy, replica('c')],
    failed: new Set(['b']),
    ...over,
  });
  const stepsOf = (view: DrainView) => planDrain(view).steps.map(({ kind, uid }) => `${kind} ${uid}`);

  it.each<[string, Partial<DrainView>, string[]]>([
    ['is told to take no new job although all replicas are wanted', {}, ['cordon b']],
    [
      'is told again before its cordon ends',
      {
        replicas: [replica('a'), cordonedBusy, replica('c')],
        memory: { ...FIRST_DRAIN_MEMORY, cordons: { b: { ...told.cordons.b, until: NOW + 45_000 } } },
      },
      ['cordon b'],
    ],
    [
      'keeps its cordon, however long its jobs take',
      {
        replicas: [replica('a'), cordonedBusy, replica('c')],
        memory: { ...FIRST_DRAIN_MEMORY, ...told },
        timeoutMs: 10_000,
        onTimeout: 'Release',
      },
      [],
    ],
    ['is told nothing before it was asked', { asked: false }, []],
    ['is told nothing where its worker does not run', { replicas: [replica('b', { cannotStart: 'crashes' })] }, []],
    [
      'works again as soon as it is well',
      { replicas: [replica('a'), cordonedBusy, replica('c')], failed: new Set() },
      ['uncordon b'],
    ],
  ])('%s', (_, over, steps) => {
    expect(stepsOf(viewWith(3, over))).toEqual(steps);
  });

  it('goes first when fewer are wanted, before idle ones and before one that is told already', () => {
    expect(stepsOf(viewWith(2))).toEqual(['cordon b']);
    const other = replica('c', {
      answer: known({ name: 'c', processStart: 'p', active: 0, cordoned: true, lastFinished: null }, NOW),
    });
    const memory = { ...FIRST_DRAIN_MEMORY, cordons: { c: { ...told.cordons.b } } };
    expect(stepsOf(viewWith(2, { replicas: [replica('a'), busy, other], memory }))).toEqual(['cordon b', 'uncordon c']);
  });

  it('goes on to be drained where others would be given back to work for taking too long', () => {
    const late = {
      replicas: [replica('a'), cordonedBusy, replica('c')],
      memory: { ...FIRST_DRAIN_MEMORY, ...told },
      timeoutMs: 10_000,
      onTimeout: 'Release' as const,
    };
    const plan = planDrain(viewWith(2, late));
    expect(plan.steps).toEqual([]);
    expect(plan).toMatchObject({ draining: [{ replica: { uid: 'b' } }], memory: { spared: {} } });
    expect(stepsOf(viewWith(2, { ...late, failed: new Set() }))).toEqual(['uncordon b']);
  });

  it('costs no command of Redis while nobody is to go', () => {
    expect(planDrain(viewWith(3)).memory).toMatchObject({ onlyKeeps: true, atRest: false });
    expect(planDrain(viewWith(2)).memory.onlyKeeps).toBe(false);
    expect(planDrain(viewWith(3, { failed: new Set() })).memory.onlyKeeps).toBe(false);
  });
});

describe('a pod-deletion-cost of somebody else', () => {
  const idle = known({ name: 'a', processStart: 'p', active: 0, cordoned: true, lastFinished: null }, NOW);
  const cordon = {
    processStart: 'p',
    since: NOW - 5000,
    until: NOW + 55_000,
    idle: { since: NOW - 4000, shownReady: true },
  };
  const proven = replica('a', {
    ready: false,
    answer: idle,
    mark: { of: `e ${cordon.since} p`, beside: fingerprintOf(three) },
  });
  /** One of three is to go, and `a` is proven. */
  const drained = (others: readonly DrainReplica[]): DrainView => {
    const { deployment, replicaSets } = refusedView();
    return refusedView({
      refused: false,
      wanted: 2,
      deployment: { ...deployment, replicas: 3 },
      replicaSets: replicaSets.map((set) => ({ ...set, replicas: 3 })),
      replicas: [proven, ...others],
      memory: { ...FIRST_DRAIN_MEMORY, cordons: { a: cordon } },
    });
  };

  it('holds nothing up where the replica would still go after a proven one', () => {
    const others = [replica('b', { foreignCost: -2_147_483_647 }), replica('c', { foreignCost: 7 })];
    expect(planDrain(drained(others)).lower?.replicas).toBe(2);
  });

  it('lets nobody go while it is the lowest, when its replica could go instead, and drains that one first', () => {
    const lowest = drained([replica('b'), replica('c', { foreignCost: -2_147_483_648 })]);
    expect(planDrain(lowest).steps).toContainEqual(expect.objectContaining({ kind: 'cordon', name: 'c' }));
    const both = { ...lowest, wanted: 1 };
    expect(planDrain(both)).toMatchObject({ waitsFor: expect.stringContaining('c has the lowest deletion cost') });
    expect(planDrain(both).lower).toBeUndefined();
    const without = ALL.filter((name) => name !== 'othersCostMore');
    expect(planDrain(both, { preconditions: without }).lower?.replicas).toBe(2);
  });

  it('chooses between replicas with as many jobs', () => {
    const replicas = [replica('a'), replica('b', { foreignCost: 5 }), replica('c', { foreignCost: -5 })];
    const cordoned = planDrain(refusedView({ refused: false, wanted: 4, replicas })).steps;
    expect(cordoned.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['cordon c']);
  });
});
