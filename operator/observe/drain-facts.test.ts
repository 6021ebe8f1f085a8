import { expect, it } from 'vitest';
import type { ReplicaAnswer } from '../core/drain/view.ts';
import { known, unknown } from '../core/known.ts';
import { NOON, queueOf, samplePool, stateOf } from '../core/state.fixture.ts';
import { lookAtDrain } from './drain-facts.ts';
import { projectPod } from './pods.ts';

const pod = (ready = true, phase = 'Running') =>
  projectPod({
    metadata: {
      namespace: 'ns',
      name: 'pod-0',
      uid: 'uid-0',
      labels: { 'agentpool.dev/pool': 'jobs', 'agentpool.dev/serving': 'true' },
    },
    spec: { containers: [{ name: 'worker' }] },
    status: {
      phase,
      podIP: '10.0.0.1',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-05T11:00:00Z' }],
    },
  });

const silent = unknown('it does not answer: ECONNREFUSED');
const idle = known<ReplicaAnswer>(
  { name: 'pod-0', processStart: 'first', active: 0, cordoned: true, lastFinished: null },
  NOON,
);
const silentFor = (isLong: boolean) => ({
  silence: { since: NOON - 120_000, isLong, because: 'pod-0: it does not answer' },
});

type Look = Readonly<{
  ready?: boolean;
  phase?: string;
  answer?: typeof idle | typeof silent;
  memory?: object;
  active?: number;
}>;

/** What was asked, and whether Redis was. */
async function look({ ready = true, phase = 'Running', answer = silent, memory = {}, active = 0 }: Look) {
  let asked = 0;
  const state = stateOf();
  const { facts } = await lookAtDrain(
    {
      witness: { ask: () => Promise.resolve({ 'uid-0': answer }) },
      tokens: {
        read: () => Promise.resolve({ state: 'present', value: 'a token' }),
        dueInMs: () => 0,
        forget: () => undefined,
      },
    },
    {
      pool: samplePool(),
      pods: [pod(ready, phase)],
      redis: {
        activeJobs: () => {
          asked += 1;
          return Promise.resolve(known({ total: 0, unnamed: 0, byName: {} }, NOON));
        },
      },
      queue: known(queueOf({ active }), NOON),
      memory: { ...state.memory, drain: { ...state.memory.drain, ...memory } },
    },
  );
  return { asked, facts };
}

it('asks nobody of a pool at rest', async () => {
  const { asked, facts } = await look({ memory: { atRest: true } });
  expect(asked).toBe(0);
  expect(facts).toMatchObject({ asked: false, answers: {}, activeJobs: { ok: false } });
});

it.each<readonly [string, Look, number]>([
  ['one is told, idle and not ready', { answer: idle, ready: false }, 1],
  [
    'one that has failed is kept idle, and none is to go',
    { answer: idle, ready: false, memory: { onlyKeeps: true } },
    0,
  ],
  ['no node takes one', { ready: false, phase: 'Pending' }, 1],
  ['one is told and idle, and still shown ready', { answer: idle }, 0],
  ['none answers, for a short time', { memory: silentFor(false) }, 0],
  ['none has answered for long, and no job is active', { memory: silentFor(true) }, 1],
  ['none has answered for long, and a job is active', { memory: silentFor(true), active: 1 }, 0],
])('asks Redis who works only when a removal depends on it: %s', async (_, options, times) => {
  const { asked, facts } = await look(options);
  expect(asked).toBe(times);
  expect(facts.activeJobs.ok).toBe(times === 1);
});
