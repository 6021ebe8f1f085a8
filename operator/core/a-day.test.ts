import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import type { Decision } from './decision.ts';
import { renderDeployment, templateKey } from './deployment.ts';
import { type Known, known, unknown } from './known.ts';
import { firstMemory } from './memory.ts';
import type { ScaleMemory } from './scale-memory.ts';
import { deploymentOf, NOON, queueOf, replicaOf, samplePool, stateOf } from './state.fixture.ts';
import type { PoolState, QueueSnapshot } from './state.ts';

const MINUTE = 60_000;
const MIDNIGHT = NOON - 12 * 60 * MINUTE;

/** What a line of the story changes in the world; all the rest stays as it was. */
type Happening = Readonly<{
  queue?: Partial<QueueSnapshot>;
  /** Nothing answers. */
  outage?: true;
  /** What each replica says that it runs; by itself, its part of what Redis shows. */
  eachRuns?: number;
  /** Jobs of this length have ended. */
  meanMs?: number;
  /** Another operator leads: it knows what the status has kept. */
  newLeader?: true;
}>;

/** At what time, what happens, how many replicas are wanted from then on, and what is said of it. */
type Line = readonly [time: string, what: string, happening: Happening, wanted: number, says: string];

const pool = samplePool({
  concurrency: 5,
  maxReplicas: 20,
  scaleDownWindowMs: 5 * MINUTE,
  schedules: [{ cron: '45 7 * * MON-FRI', timeZone: 'UTC', durationMs: 120 * MINUTE, minReplicas: 4 }],
});

/** A Monday of a pool of 5 slots a replica, a wait target of 30 s and a window of 5 minutes. */
const day: readonly Line[] = [
  ['00:00', 'night: nothing is there', {}, 0, 'nothing waits and nothing runs'],
  [
    '02:10',
    'one job comes, and nobody knows how long it takes',
    { queue: { ready: 1 } },
    1,
    '0 active + 1 waiting = 1 slot; 5 a replica → 1',
  ],
  ['02:11', 'it runs', { queue: { active: 1 } }, 1, '1 active + 0 waiting = 1 slot'],
  [
    '02:13',
    'it is done, and its replica stays for the window',
    { queue: {} },
    1,
    'held at 1 because 1 was wanted within the last 5 min',
  ],
  ['02:18', 'the window is over', {}, 0, 'nothing waits and nothing runs'],

  [
    '07:45',
    'the schedule of the morning begins before anybody works',
    {},
    4,
    'raised to 4 by the schedule 45 7 * * MON-FRI (UTC) until 2026-01-05T09:45:00Z',
  ],
  [
    '08:00',
    'the ramp: the floor is enough',
    { queue: { active: 12, ready: 3 } },
    4,
    '15 slots; 5 a replica → 3; raised to 4 by the schedule',
  ],
  ['08:10', 'it is not any more', { queue: { active: 20, ready: 10 } }, 6, '30 slots; 5 a replica → 6'],
  ['08:20', 'and more', { queue: { active: 30, ready: 15 } }, 9, '45 slots; 5 a replica → 9'],
  ['08:40', 'nothing waits now', { queue: { active: 30 } }, 9, 'held at 9 because 9 were wanted within the last 5 min'],
  ['08:45', 'so three may go', {}, 6, '30 slots; 5 a replica → 6'],
  ['09:45', 'the schedule ends and is not missed', {}, 6, '30 slots; 5 a replica → 6'],

  [
    '12:00',
    'flash crowd: 500 jobs at once; today a job has taken 6 s, and a replica 2 s to start',
    { queue: { active: 30, ready: 500 }, meanMs: 6000 },
    20,
    '30 active + 500 waiting × 6 s / 28 s = 138 slots; 5 a replica → 28; held to 20 by maxReplicas',
  ],
  ['12:03', 'all of them run or are done', { queue: { active: 100 } }, 20, '100 slots; 5 a replica → 20'],
  ['12:05', 'the crowd is gone', { queue: { active: 20 } }, 20, '→ 4; held at 20 because 20 were wanted'],
  ['12:10', 'and its replicas with it, those that run nothing', {}, 4, '20 slots; 5 a replica → 4'],

  ['15:00', 'long tail: seven jobs that do not end', { queue: { active: 7 } }, 4, '→ 2; held at 4'],
  ['15:05', 'two replicas are enough for them', {}, 2, '7 active + 0 waiting = 7 slots; 5 a replica → 2'],
  [
    '16:00',
    'an hour later they still run, and what waits beside them is sized by their age',
    { queue: { active: 7, ready: 30 }, eachRuns: 3 },
    8,
    '7 active + 30 waiting = 37 slots; 5 a replica → 8',
  ],
  ['16:01', 'that was soon done', { queue: { active: 7 }, eachRuns: 3 }, 8, 'held at 8'],
  ['16:06', 'and the seven run on', {}, 2, '7 slots; 5 a replica → 2'],

  [
    '17:00',
    'metrics outage: neither workers nor Redis answer',
    { outage: true },
    2,
    'the queue cannot be read: nothing answers; 2 replicas stay until it can',
  ],
  [
    '17:20',
    'the first look after it shows nothing: that is too good to be acted on',
    { queue: {} },
    2,
    'held at 2 because 2 were wanted within the last 5 min',
  ],
  ['17:25', 'now it is', {}, 0, 'nothing waits and nothing runs'],

  ['18:00', 'an evening shift', { queue: { active: 25 } }, 5, '25 slots; 5 a replica → 5'],
  [
    '18:30',
    'leader change just as it ends: what was wanted before is not known',
    { queue: { active: 5 }, newLeader: true },
    5,
    'held at 5 until a whole window was watched, 5 min more',
  ],
  ['18:35', 'a whole window later', {}, 1, '5 active + 0 waiting = 5 slots; 5 a replica → 1'],

  ['19:50', 'work for three', { queue: { active: 15 } }, 3, '15 slots; 5 a replica → 3'],
  [
    '20:00',
    'empty fail-over: Redis has lost every key, the replicas still work',
    { queue: { exists: false }, eachRuns: 5 },
    3,
    'the queue cannot be read: every key of queue agent-jobs is gone from Redis',
  ],
  [
    '20:30',
    'Redis has its keys back, and nobody was removed',
    { queue: { active: 15 } },
    3,
    '15 slots; 5 a replica → 3',
  ],
  [
    '22:00',
    'somebody deletes the queue for good: the replicas have nothing to do',
    { queue: { exists: false }, eachRuns: 0 },
    3,
    'the queue cannot be read: every key of queue agent-jobs is gone from Redis',
  ],
  ['22:05', 'after a window that is believed', {}, 0, 'nothing waits and nothing runs'],
  ['23:59', 'night', {}, 0, 'nothing waits and nothing runs'],
];

const timeOf = (text: string): number => {
  const [hours, minutes] = text.split(':').map(Number) as [number, number];
  return MIDNIGHT + (hours * 60 + minutes) * MINUTE;
};

/** A world that follows: a minute after a number was wanted it is there, for every replica that goes was proven idle. */
class World {
  #queue: Known<QueueSnapshot> = known(queueOf(), MIDNIGHT);
  #memory: ScaleMemory = firstMemory(undefined, MIDNIGHT - 60 * MINUTE);
  #status: PoolState['pool']['status'];
  #replicas = 0;
  #eachRuns: number | undefined;
  /** Since when the jobs that run now have run. */
  #runningSince = MIDNIGHT;

  happen(now: number, { queue, outage, eachRuns, meanMs, newLeader }: Happening): void {
    const active = this.#queue.ok ? this.#queue.value.active : 0;
    if (queue !== undefined) this.#queue = known(queueOf(queue), now);
    if (outage) this.#queue = unknown('nothing answers');
    const others = meanMs !== undefined || (queue?.active !== active && eachRuns === undefined);
    if (others) this.#runningSince = now;
    if (queue !== undefined) this.#eachRuns = eachRuns;
    if (newLeader) this.#memory = firstMemory(this.#status, now);
    if (meanMs !== undefined) this.#memory = { ...this.#memory, meanDuration: { ms: meanMs, at: now } };
  }

  look(now: number): Decision {
    const state = this.#state(now);
    const decision = decide(state);
    this.#replicas = decision.wanted;
    this.#status = decision.status;
    const key = templateKey(renderDeployment(pool, { replicas: this.#replicas }));
    const applied = { uid: 'deployment-uid', generation: 1, replicas: this.#replicas, templateKey: key };
    this.#memory = { ...decision.memory, applied };
    return decision;
  }

  #state(now: number): PoolState {
    const queue = this.#queue.ok ? known(this.#queue.value, now) : this.#queue;
    const running = queue.ok ? queue.value.active / Math.max(1, this.#replicas) : 0;
    const active = this.#eachRuns ?? running;
    const runningSeconds = (active * (now - this.#runningSince)) / 1000;
    const report = known({ active, slots: 5, processStart: 1, durationSum: 0, durationCount: 0, runningSeconds }, now);
    const replicas = Array.from({ length: this.#replicas }, (_, i) => replicaOf(`pod-${i}`, { report }));
    return {
      ...stateOf({ pool: { ...pool, ...(this.#status === undefined ? {} : { status: this.#status }) }, now }),
      deployment: known(deploymentOf(pool, this.#replicas), now),
      replicas: known(replicas, now),
      queue,
      memory: this.#memory,
    };
  }
}

describe('a day of a pool', () => {
  const world = new World();
  let minute = MIDNIGHT;

  it.each(day)('%s %s', (time, _what, happening, wanted, says) => {
    const until = timeOf(time);
    const wantedBefore = minute === MIDNIGHT ? 0 : world.look(minute - MINUTE).wanted;
    // Minute by minute, and nothing changes that the story does not tell.
    for (; minute < until; minute += MINUTE)
      expect(world.look(minute).wanted, `${time} is too late`).toBe(wantedBefore);
    world.happen(minute, happening);
    const decision = world.look(minute);
    expect(decision.because.message).toContain(says);
    expect(decision.wanted).toBe(wanted);
    minute += MINUTE;
  });
});
