import { Crowd } from './crowd.ts';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { soon } from '../../test/fixtures/soon.ts';
import { KubeError } from '../kube/errors.ts';
import type { Logger } from '../kube/log.ts';
import { sleep } from '../kube/wait.ts';
import { type Controller, type ControllerOptions, createController, TerminalError } from './controller.ts';
import { createLoopMetrics } from './metrics.ts';
import { createOwnWrites, type Progress } from './own-writes.ts';

let controller: Controller;
const lines: string[] = [];
const write = (level: string) => (_: object, message: string) => void lines.push(`${level}: ${message}`);
const log: Logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
const registry = new Registry();
const metrics = createLoopMetrics(registry);

function run(reconcile: ControllerOptions['reconcile'], options: Partial<ControllerOptions> = {}): Controller {
  lines.length = 0;
  registry.resetMetrics();
  const backoff = { baseMs: 10, maxMs: 40 };
  controller = createController({ name: 'pools', reconcile, log, metrics, backoff, ...options });
  controller.start();
  return controller;
}
afterEach(() => controller.stop(0));

async function count(name: string, labels: Record<string, string> = {}): Promise<number> {
  const metric = await registry.getSingleMetric(name)?.get();
  const matches = metric?.values.filter((value) =>
    Object.entries(labels).every(([label, wanted]) => value.labels[label] === wanted),
  );
  return matches?.reduce((sum, { value }) => sum + value, 0) ?? -1;
}
const conflict = () => new KubeError({ status: 409, reason: 'Conflict', message: 'changed' });

describe('a controller', () => {
  it('works on many keys at once and on each key once at a time', async () => {
    const running = new Map<string, number>();
    let most = 0;
    run(
      async (key) => {
        running.set(key, (running.get(key) ?? 0) + 1);
        expect(running.get(key)).toBe(1);
        most = Math.max(
          most,
          [...running.values()].reduce((sum, one) => sum + one, 0),
        );
        await sleep(5);
        running.set(key, 0);
        return undefined;
      },
      { concurrency: 3 },
    );
    for (let i = 0; i < 60; i += 1) {
      controller.enqueue(`k${i % 6}`);
      if (i % 10 === 0) await sleep(3);
    }
    await soon(() => expect(controller.queue.size() + controller.queue.running().size).toBe(0));
    expect(most).toBe(3);
  });

  it('repeats a failed pass with backoff until it succeeds, and says the failure once', async () => {
    let passes = 0;
    run(() => {
      passes += 1;
      return passes < 4 ? Promise.reject(new Error('redis is away')) : Promise.resolve(undefined);
    });
    controller.enqueue('a');
    await soon(() => expect(passes).toBe(4));
    await soon(() => expect(controller.queue.failures('a')).toBe(0));
    expect(lines.filter((line) => line.startsWith('error'))).toEqual(['error: a pass failed']);
    expect(await count('controller_runtime_reconcile_total', { result: 'error' })).toBe(3);
    expect(await count('controller_runtime_reconcile_total', { result: 'success' })).toBe(1);
    expect(await count('workqueue_retries_total')).toBe(3);
  });

  it('decides again after a conflict, which is no error', async () => {
    let passes = 0;
    run(() => {
      passes += 1;
      return passes === 1 ? Promise.reject(conflict()) : Promise.resolve({});
    });
    controller.enqueue('a');
    await soon(() => expect(passes).toBe(2));
    expect(await count('controller_runtime_reconcile_errors_total')).toBe(0);
    expect(lines.some((line) => line.startsWith('error'))).toBe(false);
  });

  it.each([
    ['a terminal error', new TerminalError('no such secret')],
    ['a refusal by the API server', new KubeError({ status: 422, reason: 'Invalid', message: 'bad' })],
  ])('does not repeat %s until the key is added again', async (_, error) => {
    let passes = 0;
    run(() => {
      passes += 1;
      return Promise.reject(error);
    });
    controller.enqueue('a');
    await soon(() => expect(passes).toBe(1));
    await sleep(120);
    expect(passes).toBe(1);
    controller.enqueue('a');
    await soon(() => expect(passes).toBe(2));
    await soon(async () => expect(await count('controller_runtime_terminal_reconcile_errors_total')).toBe(2));
  });

  it('looks again when a pass asks for it', async () => {
    let passes = 0;
    run(() => {
      passes += 1;
      return Promise.resolve(passes < 3 ? { recheckAfterMs: 5 } : undefined);
    });
    controller.enqueue('a');
    await soon(() => expect(passes).toBe(3));
    expect(await count('controller_runtime_reconcile_total', { result: 'requeue_after' })).toBe(2);
  });

  it('serves what an event asks for before it looks again at others, and says that more waits than it can do', async () => {
    const order: string[] = [];
    const crowd = new Crowd();
    let release = (): void => {};
    run(
      async (key) => {
        order.push(key);
        if (key === 'slow') await new Promise<void>((resolve) => (release = resolve));
        return key === 'again' && order.filter((each) => each === 'again').length === 1 ? { recheckAfterMs: 5 } : {};
      },
      { concurrency: 1, crowd },
    );
    controller.enqueue('again');
    controller.enqueue('slow');
    await soon(() => expect(order).toEqual(['again', 'slow']));
    await soon(() => expect(controller.queue.size('low')).toBe(1));
    expect(crowd.isThere()).toBe(false);
    controller.enqueue('event');
    expect(crowd.isThere()).toBe(true);
    release();
    await soon(() => expect(order).toEqual(['again', 'slow', 'event', 'again']));
    expect(crowd.isThere()).toBe(false);
  });

  it('ends a pass at its time limit, and says when one does not end', async () => {
    const ended: string[] = [];
    run(
      async (key, signal) => {
        await sleep(10_000, signal).catch((error: Error) => ended.push(`${key}: ${error.message}`));
        signal.throwIfAborted();
        return undefined;
      },
      { timeLimitMs: 20 },
    );
    controller.enqueue('a');
    await soon(() => expect(ended[0]).toBe('a: the pass did not end within 20 ms'));
    expect(await count('controller_runtime_reconcile_timeouts_total')).toBeGreaterThan(0);
    expect(controller.problem()).toBeUndefined();
    vi.spyOn(controller.queue, 'running').mockReturnValue(new Map([['b', 31_000]]));
    expect(controller.problem()).toBe('pools: a pass over b has not ended for 31 s');
    vi.restoreAllMocks();
  });

  it('counts a programming error as a panic and goes on', async () => {
    run((key) => (key === 'a' ? Promise.reject(new TypeError('undefined is not a function')) : Promise.resolve({})));
    controller.enqueue('a');
    controller.enqueue('b');
    await soon(async () => expect(await count('controller_runtime_reconcile_total', { result: 'success' })).toBe(1));
    expect(await count('controller_runtime_reconcile_panics_total')).toBeGreaterThan(0);
  });

  it('lets running passes end when it stops, and aborts those that take too long', async () => {
    const ended: string[] = [];
    run(
      async (key, signal) => {
        await sleep(key === 'short' ? 30 : 60_000, signal).catch(() => ended.push(`${key} was aborted`));
        ended.push(key);
        return undefined;
      },
      { timeLimitMs: 120_000 },
    );
    for (const key of ['short', 'long']) controller.enqueue(key);
    await soon(() => expect(controller.queue.running().size).toBe(2));
    await controller.stop(100);
    expect(ended).toEqual(['short', 'long was aborted', 'long']);
  });

  it('leaves behind what does not end when it is aborted: the next leader waits for the lease', async () => {
    run(() => new Promise(() => {}));
    controller.enqueue('stuck');
    await soon(() => expect(controller.queue.running().size).toBe(1));
    const began = performance.now();
    await controller.stop(10);
    expect(performance.now() - began).toBeLessThan(3 * 510);
  });

  it('adds all keys now and then, with low priority', async () => {
    const seen = new Set<string>();
    const reconcile = (key: string) => Promise.resolve(void seen.add(key));
    run(reconcile, { resync: { everyMs: 10, keys: () => ['a', 'b'] } });
    await soon(() => expect([...seen]).toEqual(['a', 'b']));
  });
});

describe('a pass after a write', () => {
  const type = { group: '', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true } as const;

  it('waits until the store shows the write, and other keys do not', async () => {
    const own = createOwnWrites({ log });
    let show: (seen: boolean) => void = () => {};
    const reflector: Progress = {
      type,
      waitFor: () => new Promise((resolve) => (show = resolve)),
      refresh: () => Promise.resolve(),
    };
    own.watch(reflector);
    const passes: string[] = [];
    run(
      (key) => {
        passes.push(key);
        if (key === 'a' && passes.length === 1) own.onWritten({ type, namespace: 'n', resourceVersion: '7' });
        return Promise.resolve(undefined);
      },
      { ownWrites: own },
    );
    controller.enqueue('a');
    await soon(() => expect(passes).toEqual(['a']));
    controller.enqueue('a');
    controller.enqueue('b');
    await soon(() => expect(passes).toEqual(['a', 'b']));
    show(true);
    await soon(() => expect(passes).toEqual(['a', 'b', 'a']));
  });

  it('reads everything again when the watch does not show the write in time', async () => {
    const own = createOwnWrites({ log, timeoutMs: 1 });
    let refreshed = 0;
    own.watch({
      type,
      waitFor: () => Promise.resolve(false),
      refresh: () => {
        refreshed += 1;
        return Promise.resolve();
      },
    });
    let passes = 0;
    run(
      () => {
        passes += 1;
        if (passes === 1) own.onWritten({ type, namespace: 'n', resourceVersion: '7' });
        return Promise.resolve(undefined);
      },
      { ownWrites: own },
    );
    controller.enqueue('a');
    await soon(() => expect(passes).toBe(1));
    controller.enqueue('a');
    await soon(() => expect(passes).toBe(2));
    expect(refreshed).toBe(1);
  });
});
