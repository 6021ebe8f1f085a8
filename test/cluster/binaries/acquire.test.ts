import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../exec.ts';
import { arch, cacheDir } from '../paths.ts';
import { silent } from '../progress.ts';
import { ToolUnavailable, acquire } from './acquire.ts';
import type { Tool } from './catalog.ts';

const tool: Tool = {
  name: 'greeter',
  version: '2.1',
  programs: ['greeter', 'greeter-helper'],
  path: { ask: () => ['--version'], accept: /2\.1/ },
  downloads: [
    { url: 'https://no-such-host.invalid/g', checksumUrl: 'https://no-such-host.invalid/s', kind: 'program' },
  ],
  make: { by: 'go', module: 'no-such-folder', packages: ['.'], ldflags: '', takes: 'no time' },
};

const withDownload = (base: string): Tool => ({
  ...tool,
  downloads: [{ url: `${base}/greeter.tgz`, checksumUrl: `${base}/greeter.tgz.sha256`, kind: 'tar.gz' }],
});

const sha256 = (bytes: Buffer): Buffer => Buffer.from(createHash('sha256').update(bytes).digest('hex'));

/** An archive as projects publish it: one program in a folder, one beside it under the architecture's name. */
const archiveOf = async (work: string, command = 'echo hello'): Promise<Buffer> => {
  const root = join(work, 'archive');
  await mkdir(join(root, 'greeter-2.1', 'bin'), { recursive: true });
  await writeFile(join(root, 'greeter-2.1', 'bin', 'greeter'), `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  await writeFile(join(root, `greeter-helper.${arch.go}`), '#!/bin/sh\n', { mode: 0o755 });
  await run('tar', ['-C', root, '-czf', join(work, 'greeter.tgz'), '.']);
  return readFile(join(work, 'greeter.tgz'));
};

const serve = async (files: Readonly<Record<string, Buffer>>) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const body = files[request.url ?? ''];
    response.writeHead(body ? 200 : 404).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, close };
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
    await program('greeter', '2.1');
    await program('greeter-helper', '3.0');
    const path = await cached('');
    expect((await acquire(tool, silent)).get('greeter')).toBe(path);
  });

  it('is taken from the cache when PATH has only a part of it', async () => {
    await program('greeter', '2.1');
    const path = await cached('');
    expect((await acquire(tool, silent)).get('greeter')).toBe(path);
  });

  it('is downloaded when its project answers, and taken from the cache from then on', async () => {
    const archive = await archiveOf(folder);
    const served = await serve({ '/greeter.tgz': archive, '/greeter.tgz.sha256': sha256(archive) });
    const lines: string[] = [];
    const path = (await acquire(withDownload(served.base), (line) => lines.push(line))).get('greeter') ?? '';
    expect(await run(path, [])).toBe('hello\n');
    expect(lines.join('\n')).toMatch(/greeter 2\.1: downloading .*\n.*greeter 2\.1: ready in/);
    await served.close();
    expect((await acquire(withDownload(served.base), silent)).get('greeter')).toBe(path);
  });

  it('is not taken from an archive that was tampered with', async () => {
    const archive = await archiveOf(folder);
    const served = await serve({ '/greeter.tgz': archive, '/greeter.tgz.sha256': sha256(Buffer.from('other')) });
    await expect(acquire(withDownload(served.base), silent)).rejects.toThrow(/not downloaded \(.* has the checksum/);
    await served.close();
  });

  it('is not kept when it does not run on this machine', async () => {
    const archive = await archiveOf(folder, 'exit 127');
    const served = await serve({ '/greeter.tgz': archive, '/greeter.tgz.sha256': sha256(archive) });
    await expect(acquire(withDownload(served.base), silent)).rejects.toThrow(/greeter --version failed/);
    await served.close();
    await expect(acquire(withDownload(served.base), silent)).rejects.toThrow(ToolUnavailable);
  });

  it('is fetched once when two ask for it at the same time', async () => {
    const archive = await archiveOf(folder);
    const served = await serve({ '/greeter.tgz': archive, '/greeter.tgz.sha256': sha256(archive) });
    const [one, two] = await Promise.all([1, 2].map(() => acquire(withDownload(served.base), silent)));
    expect(one).toEqual(two);
    expect(served.asked.filter((path) => path === '/greeter.tgz')).toHaveLength(1);
    await served.close();
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
