import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../exec.ts';
import { documentsOf, makeArchive } from './archive.ts';
import { librariesIn } from './catalog.ts';
import { makeLayer } from './layer.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awp-images-'));
  vi.stubEnv('XDG_CACHE_HOME', folder);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

describe('a layer', () => {
  it('has the same digest for the same content, whenever and from wherever it is made', async () => {
    await writeFile(join(folder, 'a'), 'content');
    const first = await makeLayer([{ path: '/app/file', copy: join(folder, 'a') }]);
    vi.stubEnv('XDG_CACHE_HOME', join(folder, 'elsewhere'));
    await writeFile(join(folder, 'b'), 'content');
    const second = await makeLayer([{ path: '/app/file', copy: join(folder, 'b') }]);
    expect(second.digest).toBe(first.digest);
    expect(second.file).not.toBe(first.file);
  });

  it('has another digest when a byte changes', async () => {
    const one = await makeLayer([{ path: '/file', text: 'one' }]);
    const two = await makeLayer([{ path: '/file', text: 'two' }]);
    expect(two.digest).not.toBe(one.digest);
  });

  it('belongs to root, readable for all and writable for none but root, whoever made it', async () => {
    const layer = await makeLayer([
      { path: '/app/file', text: 'x' },
      { path: '/tmp', folder: true, mode: 0o1777 },
    ]);
    const list = await run('tar', ['-tvf', layer.file, '--numeric-owner']);
    expect(list).toMatch(/-rw-r--r-- 0\/0 .*\.\/app\/file/);
    expect(list).toMatch(/drwxr-xr-x 0\/0 .*\.\/app\//);
    expect(list).toMatch(/drwxrwxrwt 0\/0 .*\.\/tmp\//);
  });
});

describe('an image', () => {
  it('names every layer in its manifest, and leaves those that the cluster has out of its archive', async () => {
    const [base, app] = [
      await makeLayer([{ path: '/base', text: 'x' }]),
      await makeLayer([{ path: '/app', text: 'y' }]),
    ];
    const image = { ref: 'registry.local/x:dev', config: { Entrypoint: ['/app'] }, layers: [base, app], shared: 1 };
    const manifest = JSON.parse(documentsOf(image).manifest.text) as { layers: { digest: string }[] };
    expect(manifest.layers.map(({ digest }) => digest)).toEqual([`sha256:${base.digest}`, `sha256:${app.digest}`]);
    const archive = await makeArchive(image);
    const content = await run('tar', ['-tf', archive.file]);
    expect(content).toContain(app.digest);
    expect(content).not.toContain(base.digest);
    expect((await readFile(archive.file)).includes(image.ref)).toBe(true);
  });
});

describe('the libraries of a program', () => {
  it('are what its loader would map, and the loader', () => {
    const ldd = `	linux-vdso.so.1 (0x00007ffee)
	libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f1)
	libmissing.so.1 => not found
	/lib64/ld-linux-x86-64.so.2 (0x00007f2)
`;
    expect(librariesIn(ldd)).toEqual({
      libraries: ['/lib/x86_64-linux-gnu/libm.so.6'],
      loader: '/lib64/ld-linux-x86-64.so.2',
    });
  });

  it('of a static program are none', () => {
    expect(librariesIn('\tnot a dynamic executable\n')).toEqual({ libraries: [], loader: undefined });
  });
});
