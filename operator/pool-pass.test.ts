import { Registry } from 'prom-client';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { PoolStatus } from './api/pool.ts';
import { Reporter } from './act/report.ts';
import { known, unknown } from './core/known.ts';
import type { ScaleMemory } from './core/scale-memory.ts';
import { deploymentOf, NOON, replicaOf, samplePool, stateOf } from './core/state.fixture.ts';
import type { Ending, PoolState } from './core/state.ts';
import type { KubeClient } from './kube/client.ts';
import { errorFromAnswer, KubeError } from './kube/errors.ts';
import { silentLogger } from './kube/log.ts';
import { PoolPass, type PassParts } from './pool-pass.ts';
import { createPoolMetrics } from './telemetry/metrics.ts';

const KEY = 'agents/agent-jobs';
const { signal } = new AbortController();
const answer = (status: number, message: string) =>
  errorFromAnswer({ method: 'PATCH', path: '/x', status, text: JSON.stringify({ kind: 'Status', message }) });
const CONFLICT = answer(409, 'the object has been modified');
const WEBHOOK = answer(500, 'failed calling webhook');
const LOST = new KubeError({ status: 0, reason: 'Timeout', message: 'PUT /x: no answer within 30 s' });

/** What the passes of a test look at; a write that succeeds changes it at once. */
type World = {
  now: number;
  ready: number;
  replicas: number;
  generation: number;
  status: PoolStatus | undefined;
  over: Partial<PoolState>;
  pool: ReturnType<typeof samplePool>;
  /** Why its spec cannot be read. */
  problems: readonly string[];
  /** Replicas that the next pass knows to be given back to work. */
  reversed: string[];
  crowded: boolean;
  applyFails: Error[];
  statusFails: Error[];
  told: string[];
  statuses: number;
};
let world: World;

const look = (memory: ScaleMemory): PoolState => {
  const { pool: bare, replicas, now, generation, status, over } = world;
  const pool = { ...bare, ...(status === undefined ? {} : { status }) };
  const deployment = { ...deploymentOf(pool, replicas), generation, observedGeneration: generation };
  const settled = stateOf({ pool, replicas, now, queue: { ready: world.ready } });
  const drain = { ...memory.drain, reversed: world.reversed.splice(0) };
  return { ...settled, deployment: known(deployment, now), ...over, memory: { ...memory, drain } };
};

vi.mock('./observe/gather.ts', () => ({
  gather: (_parts: unknown, _pool: unknown, { memory }: { memory: ScaleMemory }) =>
    Promise.resolve({ state: look(memory), pods: [], againInMs: 30_000, secretsDueInMs: 30_000 }),
}));

/** A Deployment that is written, whole or its number alone. */
const writeNumber = (replicas: number): Promise<unknown> => {
  const error = world.applyFails.shift();
  if (error !== undefined) return Promise.reject(error);
  Object.assign(world, { replicas, generation: world.generation + 1 });
  return Promise.resolve({ metadata: { uid: 'deployment-uid', generation: world.generation }, spec: { replicas } });
};

type Numbered = Readonly<{ spec: Readonly<{ replicas: number }> }>;

const client = {
  apply: (_type: unknown, { spec }: Numbered) => writeNumber(spec.replicas),
  scale: (_type: unknown, { spec }: Numbered) => writeNumber(spec.replicas),
  replaceStatus: (_type: unknown, { status }: { status: PoolStatus }) => {
    const error = world.statusFails.shift();
    if (error !== undefined) return Promise.reject(error);
    Object.assign(world, { status, statuses: world.statuses + 1 });
    return Promise.resolve({});
  },
};

function passOver() {
  const registry = new Registry();
  const keeps = (_: unknown, { memory }: { memory: unknown }) => Promise.resolve(memory);
  const parsed = () => {
    const { problems, pool, status } = world;
    if (problems.length > 0) return { ok: false, problems };
    return { ok: true, pool: { ...pool, ...(status === undefined ? {} : { status }) } };
  };
  const pool = () => ({ ...world.pool, intentKey: 'same', parsed: parsed() });
  const pass = new PoolPass({
    gather: { pools: { store: { get: pool } } },
    client: client as unknown as KubeClient,
    reporter: new Reporter({
      log: silentLogger,
      metrics: createPoolMetrics(registry),
      record: (_, { reason, note }) => void world.told.push(reason === 'Scaled' ? note : reason),
    }),
    drainer: { carryOut: keeps },
    companions: { makeToken: keeps, makeBudget: keeps },
    now: () => world.now,
    enqueue: () => undefined,
    crowded: () => world.crowded,
  } as unknown as PassParts);
  const run = async (times = 1) => {
    for (let each = 0; each < times; each += 1) {
      await pass.run(KEY, signal).catch(() => undefined);
      world.now += 1_000;
    }
  };
  const count = async (series: string) =>
    (await registry.metrics()).split('\n').find((line) => line.startsWith(series));
  return { run, count };
}

beforeEach(() => {
  const pool = samplePool();
  const settled = { now: NOON, ready: 0, replicas: 0, generation: 1, over: {}, pool, crowded: false };
  const nothing = { problems: [], reversed: [] };
  world = { ...settled, ...nothing, status: undefined, applyFails: [], statusFails: [], told: [], statuses: 0 };
});

const TO_9 = 'Scaled 0 → 9: 0 active + 42 waiting = 42 slots; 5 a replica → 9';

/** A pool at zero that has its status; then 42 jobs come. */
async function burst(over: Partial<World> = {}) {
  const passes = passOver();
  await passes.run(2);
  expect([world.told, world.status?.replicas?.wanted]).toEqual([[], 0]);
  Object.assign(world, { ready: 42, statuses: 0, ...over });
  return passes;
}

/** One of two replicas cannot start, which the status is to say with an event, and which spends no retry. */
const withoutImage = (): Partial<PoolState> => {
  const worker = { state: 'Waiting', waiting: { reason: 'ImagePullBackOff' }, restarts: 0 } as const;
  const health = unknown('it is not running');
  const replica = replicaOf('pod-1', { ready: false, cannotStart: 'ImagePullBackOff: no such image', worker, health });
  return { replicas: known([replicaOf('pod-0'), replica], world.now) };
};

const ending: Ending = {
  key: 'uid-gone/1',
  uid: 'uid-gone',
  replica: 'pod-gone',
  at: NOON + 1_000,
  handedBack: 2,
  lost: 0,
  templateHash: 'hash',
  terminating: true,
  disrupted: true,
  marked: false,
};

describe('while other pools wait for their replicas', () => {
  it('each raise is told once, in its own words, and not again when the status is written at last', async () => {
    const { run } = await burst({ crowded: true });
    await run(3);
    world.ready = 60;
    await run(3);
    expect(world.told).toEqual([TO_9, 'Scaled 9 → 12: 0 active + 60 waiting = 60 slots; 5 a replica → 12']);
    expect(world.statuses).toBe(0);
    world.crowded = false;
    await run(3);
    expect([world.told.length, world.statuses, world.status?.replicas?.wanted]).toEqual([2, 1, 12]);
  });

  it('what the status is to say is told when it is written, once', async () => {
    const { run } = await burst({ crowded: true, ready: 0, replicas: 2, over: withoutImage() });
    await run(4);
    expect(world.told).not.toContain('ReplicaCannotStart');
    world.crowded = false;
    await run(4);
    expect(world.told.filter((reason) => reason === 'ReplicaCannotStart')).toHaveLength(1);
  });

  it('what was to be said and is over when the status can be written is never told', async () => {
    const { run } = await burst({ crowded: true, ready: 0, replicas: 2, over: withoutImage() });
    await run(4);
    Object.assign(world, { crowded: false, over: {} });
    await run(4);
    expect(world.told).not.toContain('ReplicaCannotStart');
  });
});

describe('a status that is not written', () => {
  it.each([
    ['because the pool has changed', CONFLICT],
    ['because nobody answers', LOST],
    ['because the storage is away', WEBHOOK],
  ])('%s takes nothing from what was done and counted, and is told of once when it is', async (_what, error) => {
    const over = { ...withoutImage(), endings: [ending] };
    const { run, count } = await burst({ ready: 42, replicas: 2, over, statusFails: [error, error] });
    await run(2);
    expect(world.told.filter((each) => each.startsWith('Scaled'))).toHaveLength(1);
    expect(world.told).toContain('JobsInterrupted');
    expect(world.told).not.toContain('ReplicaCannotStart');
    await run(4);
    expect(world.told.toSorted().map((each) => each.split(' ')[0])).toEqual([
      'JobsInterrupted',
      'ReplicaCannotStart',
      'Scaled',
    ]);
    expect(await count('awp_jobs_interrupted_total{cause="disruption"}')).toMatch(/ 2$/);
  });

  it('takes nothing from what was noticed of the replicas and of their drain, each told and counted once', async () => {
    const over = { replicas: known([replicaOf('pod-0', { foreignCost: '5' })], NOON) };
    const { run, count } = await burst({ ready: 1, replicas: 1, over, reversed: ['pod-0'], statusFails: [LOST, LOST] });
    await run();
    expect(world.told).toEqual(['ForeignDeletionCost']);
    expect(await count('awp_scale_down_total{outcome="reversed"}')).toMatch(/ 1$/);
    await run(4);
    expect(world.told).toEqual(['ForeignDeletionCost']);
    expect(await count('awp_scale_down_total{outcome="reversed"}')).toMatch(/ 1$/);
  });

  it('of a spec that cannot be used is written again, and told of once then', async () => {
    world.problems = ['spec.queue.name: it is missing'];
    world.statusFails = [CONFLICT, LOST];
    const { run } = passOver();
    await run(2);
    expect([world.told, world.statuses]).toEqual([[], 0]);
    await run(3);
    expect([world.told, world.statuses, world.status?.decision?.reason]).toEqual([['InvalidPool'], 1, 'InvalidPool']);
  });
});

describe('a Deployment that cannot be applied', () => {
  it('is told of once, its jobs are counted at once, and the raise is told when it is carried out', async () => {
    const fails = Array.from({ length: 40 }, () => WEBHOOK);
    const { run, count } = await burst({ applyFails: fails, over: { endings: [ending] } });
    await run(40);
    expect([world.told, world.status?.replicas?.wanted]).toEqual([['JobsInterrupted', 'ApplyFailing'], 9]);
    await run(3);
    expect(world.told).toEqual(['JobsInterrupted', 'ApplyFailing', TO_9]);
    expect(await count('awp_jobs_interrupted_total{cause="disruption"}')).toMatch(/ 2$/);
  });

  it('because it is refused is no raise, and its status never says that it was one', async () => {
    const { run } = await burst({ applyFails: [answer(422, 'spec.replicas: Invalid value')] });
    await run();
    expect([world.told, world.statuses]).toEqual([[], 0]);
    await run();
    expect([world.told, world.status?.decision?.reason]).toEqual([['TemplateRefused'], 'TemplateRefused']);
    world.now += 360_000;
    await run(2);
    expect(world.told).toEqual(['TemplateRefused', TO_9]);
  });

  it('because it is refused begins no way up, of which nothing more would be told', async () => {
    world.pool = samplePool({ scaleUpMaxPerMinute: 4 });
    const { run } = await burst({ applyFails: [answer(403, 'forbidden: exceeded quota: full')] });
    await run(2);
    world.now += 360_000;
    await run(2);
    expect(world.told).toEqual(['TemplateRefused', expect.stringMatching(/^Scaled 0 → 4: /)]);
  });

  it('because it is refused adds nothing, and counts for no limit of what is added in a minute', async () => {
    world.pool = samplePool({ scaleUpMaxPerMinute: 4 });
    const { run } = await burst({ applyFails: [answer(403, 'forbidden: exceeded quota: full')] });
    await run(2);
    world.pool = { ...world.pool, generation: world.pool.generation + 1 };
    await run(2);
    expect(world.told).toEqual(['TemplateRefused', expect.stringMatching(/^Scaled 0 → 4: /)]);
  });

  it('because the world has moved on teaches nothing, and is decided on again', async () => {
    const { run } = await burst({ applyFails: [CONFLICT, CONFLICT] });
    await run(4);
    expect(world.told).toEqual([TO_9]);
  });
});
