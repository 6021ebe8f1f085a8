import { describe, expect, it } from 'vitest';
import { findBreaches } from './house-rules.ts';

const README = { path: 'README.md', text: 'Try `npm run demo`, then `npm test`.\n' };

/** What is planted has a dot in the middle here, so that the rules find it in the test only. */
const breachesOf = (path: string, text: string) => findBreaches([README, { path, text: text.replaceAll('·', '') }]);

describe('the rules of the house', () => {
  it.each([
    ['a path of one machine', 'docs/a.md', 'look into /wo·rk/main'],
    ['a path of a home folder', 'test/a.ts', "const file = '/ho·me/ada/.kube/config';"],
    ['a mark for later', 'worker/a.ts', 'const a = 1; // TO·DO: the rest'],
    ['a mark of something broken', 'deploy/a.yaml', '# FIX·ME'],
    ['a test that leaves out the others', 'worker/a.test.ts', "it.on·ly('works', () => {});"],
    ['a test that is left out', 'worker/a.test.ts', "describe.concurrent.sk·ip('works', () => {});"],
    ['tests that are left out without a reason', 'test/a.test.ts', "describe.ru·nIf(cluster)('works', () => {});"],
    ['a random number of its own in core', 'operator/core/a.ts', 'const chance = Math.random();'],
    ['an import against the arrows', 'operator/core/a.ts', "import { store } from '../kube/store.ts';"],
  ])('find %s', (_what, path, text) => {
    expect(breachesOf(path, `first line\n${text}\n`)).toEqual([expect.stringContaining(`${path}:2 `)]);
  });

  it('leave in peace what only looks alike', () => {
    const text = [
      'https://example.org/wo·rk/items',
      'ctx.skip("no Docker engine answers");',
      'const todos = [];',
      "fetch('/workers/a');",
    ].join('\n');
    expect(breachesOf('worker/a.test.ts', text)).toEqual([]);
  });

  it('ask of the README that it names the command of the demo and that of the tests', () => {
    expect(findBreaches([{ path: 'README.md', text: 'Try `npm run demo`.' }])).toEqual([
      'README.md does not name the command `npm test`',
    ]);
  });
});
