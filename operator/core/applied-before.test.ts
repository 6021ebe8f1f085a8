import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EPOCH_ANNOTATION, POOL_LABEL, RENDERING_ANNOTATION } from '../api/names.ts';
import type { PoolStatus } from '../api/pool.ts';
import { decide } from './decide.ts';
import { renderDeployment, templateKey } from './deployment.ts';
import { known, unknown } from './known.ts';
import { firstMemory } from './memory.ts';
import { afterApplying, deploymentOf, EPOCH, NOON, queueOf, samplePool, stateOf, toldBy } from './state.fixture.ts';
import type { DeploymentView, PoolState } from './state.ts';

type Claim = NonNullable<PoolStatus['deployment']>;

/** What the next leader finds: the world and the status as they were left, and nothing that the other one knew. */
const takenOver = (state: PoolState): PoolState => ({
  ...state,
  epoch: '1.second',
  pool: { ...state.pool, status: structuredClone(decide(state).status) },
  memory: firstMemory(decide(state).status, NOON),
});

const of = ({ deployment }: PoolState): DeploymentView => {
  if (!deployment.ok || deployment.value === null) throw new Error('there is no Deployment');
  return deployment.value;
};

const withDeployment = (state: PoolState, over: Partial<DeploymentView>): PoolState => ({
  ...state,
  deployment: known({ ...of(state), ...over }, NOON),
});

const withClaim = (state: PoolState, over: Partial<Claim>): PoolState => {
  const { status } = state.pool;
  if (status?.deployment === undefined) throw new Error('the status claims nothing');
  return { ...state, pool: { ...state.pool, status: { ...status, deployment: { ...status.deployment, ...over } } } };
};

const withQueue = (state: PoolState, ready: number): PoolState => ({
  ...state,
  queue: known(queueOf({ ready }), NOON),
});

const actionsOf = (state: PoolState) => decide(state).actions;
const asleep = takenOver(stateOf());

const pools = fc
  .record({
    maxReplicas: fc.integer({ min: 5, max: 40 }),
    targetWaitMs: fc.integer({ min: 1000, max: 120_000 }),
    concurrency: fc.integer({ min: 1, max: 50 }),
  })
  .map(samplePool);

describe('a new leader of a pool at zero', () => {
  it('writes nothing to a Deployment that is as an earlier leader applied it, whatever the pool', () => {
    fc.assert(
      fc.property(pools, (pool) => {
        const before = stateOf({ pool, deployment: known(null, NOON) });
        const made = afterApplying(before, decide(before));
        expect(actionsOf(takenOver(made))).toEqual([]);
      }),
    );
  });

  it('says of it what the leader before has said, and says it to the next one', () => {
    const decision = decide(asleep);
    const { status } = decision;
    expect(status).toEqual(asleep.pool.status);
    expect(status.deployment).toMatchObject({ uid: 'deployment-uid', generation: 1 });
    expect(toldBy(decision)).toEqual([]);
    expect(actionsOf(takenOver(takenOver(asleep)))).toEqual([]);
  });

  it('raises the number alone, on the version that it has seen, as the leader before would have', () => {
    const state = withQueue(asleep, 42);
    expect(actionsOf(state)[0]?.raise).toEqual({
      uid: 'deployment-uid',
      resourceVersion: '100',
      generation: 1,
      fence: '1.second',
    });
    const after = afterApplying(state, decide(state));
    expect(actionsOf(after)).toEqual([]);
    // What it knows itself is newer than the status, and than a watch that is behind.
    expect(actionsOf({ ...after, deployment: state.deployment })).toEqual([]);
  });

  const { labels, annotations } = of(asleep);
  const { [POOL_LABEL]: _pool, ...fewerLabels } = labels;
  it.each<[string, PoolState]>([
    ['its spec or annotations were changed', withDeployment(asleep, { generation: 2 })],
    ['somebody has set its number, and it is zero again', withDeployment(asleep, { generation: 3 })],
    ['it is another one of the name', withDeployment(asleep, { uid: 'another' })],
    ['it has lost a label', withDeployment(asleep, { labels: fewerLabels })],
    ['a label was changed', withDeployment(asleep, { labels: { ...labels, [POOL_LABEL]: 'another' } })],
    [
      'an annotation was changed by way of its status',
      withDeployment(asleep, { annotations: { ...annotations, [RENDERING_ANNOTATION]: 'x' } }),
    ],
    ['the pool has changed', { ...asleep, pool: { ...asleep.pool, generation: 2 } }],
    ['its operator rendered otherwise', withClaim(asleep, { template: 'of another version' })],
    ['the status is older than the last apply', withClaim(asleep, { generation: 0 })],
    ['the status is of a Deployment that was there before', withClaim(asleep, { uid: 'another' })],
    ['the status says nothing', { ...asleep, pool: samplePool() }],
  ])('applies the whole when %s', (_when, state) => {
    for (const ready of [0, 42]) {
      expect(actionsOf(withQueue(state, ready))).toMatchObject([{ manifest: { kind: 'Deployment' } }]);
      expect(actionsOf(withQueue(state, ready))[0]).not.toHaveProperty('raise');
    }
  });

  it('minds no annotation or label that others have put there before', () => {
    const more = {
      annotations: { ...annotations, 'deployment.kubernetes.io/revision': '1' },
      labels: { ...labels, a: 'b' },
    };
    expect(actionsOf(withDeployment(asleep, more))).toEqual([]);
  });

  it('is not deceived by a generation that the API server has not reached', () => {
    expect(actionsOf(withClaim(asleep, { generation: 9_007_199_254_740_991 }))).toHaveLength(1);
  });

  it('applies once where nobody has: what it knows of its own deeds goes before the status', () => {
    const state = withDeployment(asleep, { generation: 2 });
    const after = afterApplying(state, decide(state));
    expect(actionsOf(after)).toEqual([]);
    expect(decide(after).status.deployment?.generation).toBe(3);
  });
});

describe('a new leader of a pool with replicas', () => {
  const busy = takenOver(stateOf({ pool: samplePool({ minReplicas: 3 }), replicas: 3 }));

  it('applies the whole with its mark, once, although the status says that nothing has changed', () => {
    expect(busy.pool.status?.deployment).toMatchObject({ uid: 'deployment-uid', generation: 1 });
    for (const ready of [0, 4200]) {
      const state = withQueue(busy, ready);
      const [action] = actionsOf(state);
      expect(action?.manifest.metadata.annotations[EPOCH_ANNOTATION]).toBe('1.second');
      expect(action).not.toHaveProperty('raise');
      expect(actionsOf(afterApplying(state, decide(state)))).toEqual([]);
    }
  });

  it('takes no word of the status for its own deed, even on a Deployment that has its mark', () => {
    const { annotations } = of(busy);
    const marked = withDeployment(busy, { annotations: { ...annotations, [EPOCH_ANNOTATION]: '1.second' } });
    expect(actionsOf(marked)).toHaveLength(1);
  });

  it('corrects what somebody has set while there was no leader, and says who it was', () => {
    const edited = { ...deploymentOf(asleep.pool, 3), generation: 2, replicasManager: 'kubectl' };
    const state = {
      ...stateOf({ replicas: 3 }),
      pool: asleep.pool,
      epoch: '1.second',
      memory: { ...asleep.memory, watchingSince: 0 },
      deployment: known(edited, NOON),
    };
    const [action] = actionsOf(withQueue(state, 42));
    expect(action?.manifest.spec.replicas).toBeGreaterThan(3);
    expect(action).not.toHaveProperty('raise');
    expect(toldBy(decide(withQueue(state, 42))).map(({ reason }) => reason)).toContain('ReplicasCorrected');
  });
});

describe('a Deployment that was deleted while there was no leader', () => {
  const gone = { ...asleep, deployment: known(null, NOON) };

  it('is made again, and that is told as it would have been then', () => {
    expect(actionsOf(gone)).toHaveLength(1);
    expect(toldBy(decide(gone)).map(({ reason }) => reason)).toContain('DeploymentRecreated');
  });

  it('is a new one to a pool whose status has never known any', () => {
    const fresh = { ...gone, pool: samplePool() };
    expect(actionsOf(fresh)).toHaveLength(1);
    expect(toldBy(decide(fresh)).map(({ reason }) => reason)).not.toContain('DeploymentRecreated');
  });
});

describe('what the status says was applied', () => {
  it('is what the API server has answered to an apply, of which a raise is none', () => {
    const state = stateOf({ queue: { ready: 42 } });
    const before = decide(state).status.deployment;
    expect(before).toEqual({ uid: 'deployment-uid', generation: 1, template: state.memory.applied?.templateKey });
    const raised = afterApplying({ ...state, pool: { ...state.pool, status: decide(state).status } }, decide(state));
    expect(raised.memory.applied?.generation).toBe(2);
    expect(decide(raised).status.deployment).toEqual(before);
  });

  it('is kept while the cluster cannot be read', () => {
    const blind = { ...asleep, deployment: unknown('the watch is away') };
    expect(decide(blind).status.deployment).toEqual(asleep.pool.status?.deployment);
  });
});

/** What can happen to a sleeping pool. `template`: what truly stands in the Deployment. */
type Step = Readonly<{ kind: 'pass' | 'edit' | 'revert' | 'change' | 'remake' } | { kind: 'takeOver'; status: number }>;

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<Step>({ kind: 'pass' }) },
    fc.constantFrom<Step>({ kind: 'edit' }, { kind: 'revert' }, { kind: 'change' }, { kind: 'remake' }),
    fc.record({ kind: fc.constant('takeOver' as const), status: fc.nat({ max: 5 }) }),
  ),
  { maxLength: 25 },
);

/** A sleeping pool, its Deployment with the generations that an API server gives it, and every status that was ever written. */
class SleepingPool {
  readonly #statuses: PoolStatus[] = [];
  readonly #applied: string;
  #state = stateOf();
  #template: string;
  #uids = 0;

  constructor() {
    this.#applied = this.#wanted();
    this.#template = this.#applied;
  }

  #wanted(): string {
    return templateKey(renderDeployment(this.#state.pool, { replicas: 0 }));
  }

  /** Nothing to do, and it is not as it should be. */
  get isMissed(): boolean {
    return actionsOf(this.#state).length === 0 && this.#template !== this.#wanted();
  }

  take(step: Step): void {
    switch (step.kind) {
      case 'pass':
        return this.#pass();
      case 'edit':
        return this.#write('somebody’s');
      case 'revert':
        return this.#write(this.#applied);
      case 'remake':
        this.#uids += 1;
        this.#write('somebody’s');
        this.#state = withDeployment(this.#state, { uid: `deployment-${this.#uids}`, generation: 1 });
        return;
      case 'change': {
        const { pool } = this.#state;
        this.#state = { ...this.#state, pool: { ...pool, generation: pool.generation + 1 } };
        return;
      }
      case 'takeOver':
        return this.#takeOver(this.#statuses.at(-1 - step.status));
    }
  }

  /** Another template is another generation; the same is none. */
  #write(template: string, annotations = of(this.#state).annotations): void {
    if (template === this.#template) return;
    this.#template = template;
    this.#state = withDeployment(this.#state, { generation: of(this.#state).generation + 1, annotations });
  }

  #pass(): void {
    const decision = decide(this.#state);
    this.#statuses.push(decision.status);
    const [action] = decision.actions;
    this.#state = { ...this.#state, memory: decision.memory, pool: { ...this.#state.pool, status: decision.status } };
    if (action === undefined) return;
    this.#write(action.templateKey, action.manifest.metadata.annotations);
    const { uid, generation } = of(this.#state);
    const applied = { uid, generation, replicas: 0, templateKey: action.templateKey };
    this.#state = { ...this.#state, memory: { ...decision.memory, applied } };
  }

  /** Over any of the last statuses: the last ones may never have been written. */
  #takeOver(status: PoolStatus | undefined): void {
    const { status: _newer, ...pool } = this.#state.pool;
    const next = status === undefined ? pool : { ...pool, status };
    this.#state = { ...this.#state, epoch: `${EPOCH}x`, pool: next, memory: firstMemory(status, NOON) };
  }
}

describe('over any history of edits, leaders and statuses', () => {
  it('no leader leaves a Deployment alone that is not as it should be', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const pool = new SleepingPool();
        for (const step of history) {
          pool.take(step);
          expect(pool.isMissed).toBe(false);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
