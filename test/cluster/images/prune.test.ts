import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { prune, touch } from './prune.ts';

it('removes what was not used for long, and keeps the forty files that were used last', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'awp-prune-'));
  try {
    for (let age = 1; age <= 45; age += 1) {
      const [file, used] = [join(folder, `file-${age}`), new Date(Date.now() - age * 86_400_000)];
      await writeFile(file, '');
      await utimes(file, used, used);
    }
    await touch(join(folder, 'file-45'));
    await prune(folder);
    const left = await readdir(folder);
    expect(left).toHaveLength(40);
    expect(left).toContain('file-45');
    expect(left).not.toContain('file-40');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
