import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { MARKER, childrenOf, identify, isAlive, processesOf, signal } from './processes.ts';
import { stateDirOf } from './paths.ts';

describe('a process', () => {
  it('is alive until it ends', async () => {
    const child = spawn('sleep', ['60']);
    const id = identify(child.pid ?? -1);
    if (!id) throw new Error('sleep did not start');
    expect(isAlive(id)).toBe(true);
    expect(childrenOf(process.pid)).toContain(id.pid);
    signal(id, 'SIGKILL');
    await once(child, 'exit');
    expect(isAlive(id)).toBe(false);
  });

  it('is not taken for a later one with the same number, and gets no signal meant for that', () => {
    const impostor = { pid: process.pid, startedAt: '1' };
    expect(isAlive(impostor)).toBe(false);
    signal(impostor, 'SIGKILL');
  });

  it('belongs to the cluster whose folder its environment names, and to no other', async () => {
    const child = spawn('sleep', ['60'], { env: { PATH: process.env['PATH'], [MARKER]: stateDirOf('marked') } });
    await once(child, 'spawn');
    try {
      await expect.poll(() => processesOf('marked')).toEqual([child.pid]);
      expect(processesOf('mark')).toEqual([]);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
