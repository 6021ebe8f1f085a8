import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { unwrap, wrapperOf } from './wrapper.ts';

it('finds the program and its libraries behind a wrapper, and leaves a plain program alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'awp-wrapper-'));
  try {
    const path = join(folder, 'tool');
    await writeFile(path, wrapperOf('/files/usr/bin/tool', ['/files/usr/lib', '/files/lib']));
    expect(unwrap(path)).toEqual({ program: '/files/usr/bin/tool', libraryPath: '/files/usr/lib:/files/lib' });
    expect(unwrap(process.execPath)).toEqual({ program: process.execPath, libraryPath: '' });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
