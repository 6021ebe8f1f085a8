import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cacheDir, arch } from '../paths.ts';
import { silent } from '../progress.ts';
import { ToolUnavailable, acquire } from './acquire.ts';
import type { Tool } from './catalog.ts';

const tool: Tool = {
  name: 'greeter',
  version: '2.1',
  programs: ['greeter', 'greeter-helper'],
  path: { ask: ['--version'], accept: /greeter 2\.1/ },
  downloads: [
    { url: 'https://no-such-host.invalid/g', checksumUrl: 'https://no-such-host.invalid/s', kind: 'program' },
  ],
  make: { by: 'go', module: 'no-such-folder', packages: ['.'], ldflags: '', takes: 'no time' },
};

let folder = '';

const program = async (name: string, version: string): Promise<void> => {
  await writeFile(join(folder, 'bin', name), `#!/bin/sh\necho ${name} ${version}\n`);
  await chmod(join(folder, 'bin', name), 0o755);
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awp-acquire-'));
  await mkdir(join(folder, 'bin'));
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
  vi.stubEnv('PATH', `${join(folder, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const cached = async (suffix: string): Promise<string> => {
  const home = join(cacheDir(), 'tools', `greeter-2.1-${arch.go}${suffix}`);
  await mkdir(join(home, 'bin'), { recursive: true });
  return join(home, 'bin', 'greeter');
};

describe('a tool', () => {
  it('is taken from PATH in the version that is wanted', async () => {
    await program('greeter', '2.1');
    await program('greeter-helper', '2.1');
    expect((await acquire(tool, silent)).get('greeter')).toBe(join(folder, 'bin', 'greeter'));
  });

  it('is taken from the cache when PATH has another version', async () => {
    await program('greeter', '3.0');
    await program('greeter-helper', '3.0');
    const path = await cached('');
    expect((await acquire(tool, silent)).get('greeter')).toBe(path);
  });

  it('is taken from the cache when PATH has only a part of it', async () => {
    await program('greeter', '2.1');
    const path = await cached('');
    expect((await acquire(tool, silent)).get('greeter')).toBe(path);
  });

  it('is not taken from what an interrupted run left', async () => {
    await cached('.partial');
    await expect(acquire(tool, silent)).rejects.toThrow(ToolUnavailable);
  });

  it('that no source has is reported with all that was tried', async () => {
    await expect(acquire(tool, silent)).rejects.toThrow(
      /greeter 2\.1\): not on PATH in that version, not in the cache, not downloaded \(no-such-host\.invalid is out of reach\), not made here \(/,
    );
  });
});
