import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { healthOf } from '../../core/state.fixture.ts';
import type { ReplicaHealth } from '../../core/health/replica-health.ts';
import { type Known, known, unknown } from '../../core/known.ts';
import type { HealthClient, HealthTarget } from './health-client.ts';
import { HealthWatch } from './health-watch.ts';

const PACE = { intervalMs: 10_000, timeoutMs: 2000 };
const targetOf = (name: string): HealthTarget => ({
  namespace: 'ns',
  uid: `uid-${name}`,
  name,
  ip: '10.0.0.1',
  port: 3001,
});
const well = () => known(healthOf(), Date.now());

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const watchOf = (ask: HealthClient['ask'], concurrency?: number) => {
  const news: string[] = [];
  const watch = new HealthWatch({
    client: { ask, close: async () => undefined },
    onNews: (key) => news.push(key),
    now: () => Date.now(),
    ...(concurrency === undefined ? {} : { concurrency }),
  });
  return { watch, news };
};

describe('the health of replicas', () => {
  it('is asked for at once and then at every interval, whenever passes look', async () => {
    const asked: string[] = [];
    const { watch } = watchOf(async ({ name }) => {
      asked.push(`${name} ${Date.now() % 100_000}`);
      return well();
    });
    vi.setSystemTime(0);
    expect(watch.follow('ns/pool', [targetOf('a')], PACE).get('uid-a')).toMatchObject({ ok: false });
    await vi.advanceTimersByTimeAsync(4000);
    expect(watch.follow('ns/pool', [targetOf('a'), targetOf('b')], PACE).get('uid-a')).toMatchObject({ ok: true });
    await vi.advanceTimersByTimeAsync(21_000);
    expect(asked).toEqual(['a 0', 'b 4000', 'a 10000', 'b 14000', 'a 20000', 'b 24000']);
    watch.follow('ns/pool', [], PACE);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(6);
    await watch.close();
  });

  it('is asked for out of its turn by who is about to restart a replica, and goes on at its own times', async () => {
    const asked: number[] = [];
    const { watch, news } = watchOf(async () => {
      asked.push(Date.now());
      return known(healthOf({ active: asked.length }), Date.now());
    });
    vi.setSystemTime(0);
    watch.follow('ns/pool', [targetOf('a')], PACE);
    await vi.advanceTimersByTimeAsync(7000);
    const newsBefore = news.length;
    await watch.askNow('ns/pool', 'uid-a');
    await watch.askNow('ns/pool', 'uid-of-nobody');
    expect(watch.follow('ns/pool', [targetOf('a')], PACE).get('uid-a')).toMatchObject({
      value: { work: { active: 2 } },
      at: 7000,
    });
    expect(news).toHaveLength(newsBefore);
    await vi.advanceTimersByTimeAsync(14_000);
    expect(asked).toEqual([0, 7000, 10_000, 20_000]);
  });

  it('is not asked for out of its turn while a replica is silent, for the passes would wait for it', async () => {
    let asked = 0;
    const { watch } = watchOf(async () => {
      asked += 1;
      return asked === 1 ? well() : unknown('it did not answer /health within 2000 ms');
    });
    watch.follow('ns/pool', [targetOf('a')], PACE);
    await vi.advanceTimersByTimeAsync(1000);
    await watch.askNow('ns/pool', 'uid-a');
    await watch.askNow('ns/pool', 'uid-a');
    expect(asked).toBe(2);
    await watch.close();
  });

  it('is asked for again sooner while a replica has never answered: it may not listen yet', async () => {
    const asked: number[] = [];
    const { watch } = watchOf(async () => {
      asked.push(Date.now());
      return asked.length < 3 ? unknown('it does not answer') : well();
    });
    vi.setSystemTime(0);
    watch.follow('ns/pool', [targetOf('a')], PACE);
    await vi.advanceTimersByTimeAsync(25_000);
    expect(asked).toEqual([0, 1000, 3000, 13_000, 23_000]);
    await watch.close();
  });

  it('is asked for no more often than the interval by a replica that never answers', async () => {
    const asked: number[] = [];
    const { watch } = watchOf(async () => {
      asked.push(Date.now());
      return unknown('it does not answer');
    });
    vi.setSystemTime(0);
    watch.follow('ns/pool', [targetOf('a')], PACE);
    await vi.advanceTimersByTimeAsync(40_000);
    expect(asked).toEqual([0, 1000, 3000, 7000, 15_000, 25_000, 35_000]);
    await watch.close();
  });

  it('is asked for at a shorter interval from the moment on when that is told, and not twice at once', async () => {
    const asked: number[] = [];
    const { watch } = watchOf(async () => {
      asked.push(Date.now());
      return well();
    });
    vi.setSystemTime(0);
    const look = (intervalMs: number) => watch.follow('ns/pool', [targetOf('a')], { ...PACE, intervalMs });
    look(10_000);
    await vi.advanceTimersByTimeAsync(0);
    look(10_000);
    await vi.advanceTimersByTimeAsync(2500);
    look(1000);
    await vi.advanceTimersByTimeAsync(2000);
    look(10_000);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toEqual([0, 3000, 4000, 5000]);
    await watch.close();
  });

  it('of one replica that hangs delays no other, and a pool that is gone is asked no more', async () => {
    const { watch } = watchOf(({ name }) => (name === 'slow' ? new Promise(() => undefined) : Promise.resolve(well())));
    const targets = [targetOf('slow'), targetOf('quick')];
    watch.follow('ns/pool', targets, PACE);
    await vi.advanceTimersByTimeAsync(1);
    const readings = watch.follow('ns/pool', targets, PACE);
    expect(readings.get('uid-quick')).toMatchObject({ ok: true });
    expect(readings.get('uid-slow')).toMatchObject({ ok: false });
    watch.forget('ns/pool');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is news when it changes, and as long as it is not well', async () => {
    let reading: Known<ReplicaHealth> = well();
    const { watch, news } = watchOf(async () => reading);
    watch.follow('ns/pool', [targetOf('a')], PACE);
    await vi.advanceTimersByTimeAsync(25_000);
    expect(news).toHaveLength(1);
    const redis = known({ ok: false, kind: 'Outage', because: 'does not answer' } as const, 1);
    reading = known(healthOf({}, { redis }), 1);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(news).toHaveLength(3);
    reading = unknown('it did not answer');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(news).toHaveLength(4);
    reading = well();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(news).toHaveLength(5);
    await watch.close();
  });

  it('never asks more replicas at once than its limit', async () => {
    let running = 0;
    let most = 0;
    const { watch } = watchOf(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 100));
      running -= 1;
      return well();
    }, 4);
    watch.follow(
      'ns/pool',
      Array.from({ length: 20 }, (_, i) => targetOf(`p${i}`)),
      PACE,
    );
    await vi.advanceTimersByTimeAsync(1000);
    expect(most).toBe(4);
    await watch.close();
  });
});
