import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readSourceFiles } from './source-files.ts';

const IMPORT = /^import \{([^}]*)\} from 'undici';$/gm;

it('every name of undici that the source uses is in the bundles, which have only its connections', () => {
  const inBundles = createRequire(import.meta.url)('./undici-connections.cjs') as Record<string, unknown>;
  const used = readSourceFiles(join(import.meta.dirname, '..'))
    .filter(({ path }) => /^(?:operator|worker|cli)\/.*(?<!\.test)\.ts$/.test(path))
    .flatMap(({ text }) => [...text.matchAll(IMPORT)])
    .flatMap(([, names]) => (names ?? '').split(',').map((name) => name.trim()))
    .filter((name) => name !== '' && !name.startsWith('type '))
    .map((name) => name.split(' as ')[0] ?? name);
  expect(used).toContain('Agent');
  expect(used.filter((name) => inBundles[name] === undefined)).toEqual([]);
});
