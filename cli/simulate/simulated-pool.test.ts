import { describe, expect, it } from 'vitest';
import { type Conditions, SimulatedPool } from './simulated-pool.ts';
import { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';
import { burst, STARTS_AT, traceOf } from './trace.fixture.ts';

function simulate(trace: Trace, conditions: Partial<Conditions> = {}) {
  const timeline = new Timeline(STARTS_AT);
  const pool = new SimulatedPool(trace, {
    timeline,
    conditions: { slots: 2, coldStartMs: 30_000, graceMs: 30_000, seed: 1, ...conditions },
    onChange: () => {},
  });
  return {
    pool,
    waits: () => [...pool.jobs.waits].map((wait) => wait / 1000),
    /** Lets time pass until so many seconds after the start. */
    until: (seconds: number) => {
      timeline.plan(STARTS_AT + seconds * 1000, () => {});
      while (timeline.step() && timeline.now < STARTS_AT + seconds * 1000);
    },
    toTheEnd: () => {
      while (pool.jobs.ended < pool.jobs.total && timeline.step());
      return (timeline.now - STARTS_AT) / 1000;
    },
  };
}

describe('a simulated pool', () => {
  it('starts jobs in the order of their arrival, as many at a time as it has slots', () => {
    const { pool, waits, toTheEnd } = simulate(traceOf([0, 10], [0, 10], [1, 5], [2, 5]));
    pool.add({ ready: true });
    expect(toTheEnd()).toBe(15);
    expect(waits()).toEqual([0, 0, 9, 8]);
  });

  it('gives a new replica its jobs when it has started', () => {
    const { pool, waits, toTheEnd } = simulate(traceOf([0, 10], [0, 10]));
    pool.scaleTo(1);
    expect(toTheEnd()).toBe(40);
    expect(waits()).toEqual([30, 30]);
  });

  it('spreads jobs over the replicas that wait longest, as Redis does', () => {
    const { pool, until } = simulate(traceOf([1, 99], [2, 99], [3, 99]));
    for (let made = 0; made < 3; made += 1) pool.add({ ready: true });
    until(5);
    expect(pool.replicas.map(({ jobs }) => jobs.size)).toEqual([1, 1, 1]);
  });

  it('gives a cordoned replica no job until it is uncordoned, and lets it finish', () => {
    const { pool, waits, until, toTheEnd } = simulate(traceOf([0, 10], [1, 5], [1, 5]));
    pool.add({ ready: true });
    until(0.5);
    const [replica] = pool.replicas;
    if (replica === undefined) throw new Error('there is a replica');
    pool.cordon(replica);
    until(20);
    expect([replica.jobs.size, pool.waiting, replica.isReady]).toEqual([0, 2, false]);
    pool.uncordon(replica);
    expect(replica.isReady).toBe(true);
    expect(toTheEnd()).toBe(25);
    expect(waits()).toEqual([0, 19, 19]);
  });

  it('lets a removed replica finish what fits into the grace, and counts it until then', () => {
    const { pool, until } = simulate(traceOf([0, 29]));
    pool.add({ ready: true });
    until(0.5);
    pool.scaleTo(0);
    until(28);
    expect([pool.replicas.length, pool.running, pool.active]).toEqual([0, 1, 1]);
    until(30);
    expect([pool.running, pool.jobs.killed, pool.jobs.ended]).toEqual([0, 0, 1]);
  });

  it('kills what does not, and gives it back once BullMQ sees that it stalled; a second kill is its last', () => {
    const { pool, until } = simulate(traceOf([0, 100]));
    pool.add({ ready: true });
    until(1);
    pool.scaleTo(0);
    until(30);
    expect([pool.active, pool.running, pool.jobs.killed]).toEqual([1, 1, 0]);
    until(31.1);
    expect([pool.active, pool.running, pool.jobs.killed, pool.waiting]).toEqual([0, 0, 1, 0]);
    until(61.1);
    expect(pool.waiting).toBe(1);
    pool.scaleTo(1);
    until(92);
    expect(pool.active).toBe(1);
    pool.scaleTo(0);
    until(123);
    expect([pool.jobs.killed, pool.jobs.ended, pool.waiting]).toEqual([2, 1, 0]);
  });

  it('counts the wait of a killed job up to its first start', () => {
    const { pool, waits, until } = simulate(traceOf([0, 100]));
    pool.add({ ready: true });
    until(1);
    pool.scaleTo(0);
    until(70);
    pool.scaleTo(1);
    until(300);
    expect(pool.jobs.ended).toBe(1);
    expect(waits()).toEqual([0]);
  });

  it('takes away a replica that starts before one that works, and an idle cordoned one before a busy one', () => {
    const { pool, until } = simulate(traceOf(...burst(6, 0, 200)), { slots: 2 });
    for (let made = 0; made < 3; made += 1) pool.add({ ready: true });
    until(1);
    const [first, second, third] = pool.replicas;
    pool.scaleTo(4);
    pool.scaleTo(3);
    expect(pool.replicas).toEqual([first, second, third]);
    if (first === undefined) throw new Error('there is a replica');
    pool.cordon(first);
    first.jobs.clear();
    pool.scaleTo(2);
    expect(pool.replicas).toEqual([second, third]);
  });
});
