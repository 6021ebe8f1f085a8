import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import { soon } from '../../test/fixtures/soon.ts';
import { silentLogger } from '../kube/log.ts';
import { deferred } from '../kube/wait.ts';
import { type Component, createManager, type ElectionHandle, type ManagerOptions } from './manager.ts';

let happened: string[];
let signals: EventEmitter;
let exits: number[];
let unhandled: number;

beforeEach(() => {
  happened = [];
  signals = new EventEmitter();
  exits = [];
  unhandled = 0;
});

const part = (name: string, options: Partial<Component> = {}): Component => ({
  name,
  start: () => void happened.push(`start ${name}`),
  stop: () => void happened.push(`stop ${name}`),
  ...options,
});

function election() {
  const acquired = deferred<{ epoch: number }>();
  const lost = deferred<{ because: string }>();
  const handle: ElectionHandle = {
    start: () => Promise.resolve(void happened.push('compete')),
    acquired: acquired.promise,
    lost: lost.promise,
    release: () => Promise.resolve(void happened.push('release')),
  };
  return { handle, acquired, lost };
}

const manage = (options: Partial<ManagerOptions>) =>
  createManager({
    components: [],
    log: silentLogger,
    onUnhandled: () => {
      unhandled += 1;
    },
    process: signals,
    exitNow: (code) => void exits.push(code),
    ...options,
  });
const reached = (event: string) => soon(() => expect(happened).toContain(event));
const leaderParts = [part('http'), part('controller', { leaderOnly: true }), part('stores')];

describe('a manager', () => {
  it('starts in order, what only a leader runs last, and stops in the opposite order, the lease last', async () => {
    const { handle, acquired } = election();
    const running = manage({ components: leaderParts, election: handle }).run();
    await reached('compete');
    expect(happened).toEqual(['start http', 'start stores', 'compete']);
    acquired.resolve({ epoch: 3 });
    await reached('start controller');
    signals.emit('SIGTERM');
    expect(await running).toBe(0);
    expect(happened.slice(3)).toEqual(['start controller', 'stop controller', 'stop stores', 'stop http', 'release']);
    expect(signals.eventNames()).toEqual([]);
  });

  it('ends a standby without having started what only a leader runs', async () => {
    const { handle } = election();
    const running = manage({ components: leaderParts, election: handle }).run();
    await reached('compete');
    signals.emit('SIGINT');
    expect(await running).toBe(0);
    expect(happened.slice(3)).toEqual(['stop stores', 'stop http', 'release']);
  });

  it('ends at once with 1 when the lease is lost, and gives nothing back', async () => {
    const { handle, acquired, lost } = election();
    const running = manage({ components: leaderParts, election: handle }).run();
    acquired.resolve({ epoch: 1 });
    await reached('start controller');
    lost.resolve({ because: 'it was not renewed in time' });
    expect(await running).toBe(1);
    expect(happened.some((line) => line.startsWith('stop') || line === 'release')).toBe(false);
  });

  it('ends with 1, in order, when a part does not start', async () => {
    const broken = part('broken', { start: () => Promise.reject(new Error('port in use')) });
    const { handle } = election();
    expect(await manage({ components: [part('http'), broken], election: handle }).run()).toBe(1);
    expect(happened).toEqual(['start http', 'stop broken', 'stop http', 'release']);
  });

  it('ends a part that is still starting when the signal comes', async () => {
    const slow = part('slow', {
      start: (signal) =>
        new Promise((_, reject) => {
          happened.push('start slow');
          signal.addEventListener('abort', () => reject(new Error('not wanted any more')), { once: true });
        }),
    });
    const running = manage({ components: [slow, part('never')] }).run();
    await reached('start slow');
    signals.emit('SIGTERM');
    expect(await running).toBe(0);
    expect(happened).toEqual(['start slow', 'stop slow']);
  });

  it('does not wait for ever for a part that does not stop, and still gives the lease back', async () => {
    const { handle, acquired } = election();
    const stuck = part('stuck', { stop: () => new Promise(() => {}) });
    const running = manage({ components: [part('http'), stuck], election: handle, graceMs: 30 }).run();
    acquired.resolve({ epoch: 1 });
    await reached('compete');
    signals.emit('SIGTERM');
    expect(await running).toBe(0);
    expect(happened.at(-1)).toBe('release');
  });

  it('goes on stopping when one part stops badly', async () => {
    const bad = part('bad', { stop: () => Promise.reject(new Error('cannot')) });
    const running = manage({ components: [part('http'), bad] }).run();
    await reached('start http');
    await new Promise(setImmediate);
    signals.emit('SIGTERM');
    await running;
    expect(happened).toEqual(['start http', 'start bad', 'stop http']);
  });

  it('exits at once on a second signal', async () => {
    const stuck = part('stuck', { stop: () => new Promise(() => {}) });
    const running = manage({ components: [stuck], graceMs: 50 }).run();
    await reached('start stuck');
    signals.emit('SIGTERM');
    expect(exits).toEqual([]);
    signals.emit('SIGTERM');
    expect(exits).toEqual([1]);
    await running;
  });

  it('counts an error that nobody handled and ends with 1', async () => {
    const running = manage({ components: [part('http')] }).run();
    await reached('start http');
    signals.emit('unhandledRejection', new Error('forgotten'));
    expect(await running).toBe(1);
    expect(unhandled).toBe(1);
    expect(happened).toEqual(['start http', 'stop http']);
  });
});
