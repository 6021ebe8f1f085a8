import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** A planted file, and the rules that have to fire in it: the configuration is proven, not only read. */
const PLANTED: Readonly<Record<string, Readonly<{ text: string; rules: readonly string[] }>>> = {
  'operator/core/package.ts': { text: "export { readFile } from 'node:fs';", rules: ['no-restricted-imports'] },
  'operator/core/deep/kube.ts': {
    text: "export { store } from '../../kube/store.ts';",
    rules: ['no-restricted-imports'],
  },
  'operator/core/config.ts': {
    text: "import type { Config } from '../config.ts';\nexport type A = Config;",
    rules: ['no-restricted-imports'],
  },
  'operator/core/kube.test.ts': { text: "export { store } from '../kube/store.ts';", rules: ['no-restricted-imports'] },
  'operator/core/tool.test.ts': { text: "import fc from 'fast-check';\nexport const a = fc;", rules: [] },
  'operator/core/clock.ts': { text: 'export const now = () => Date.now();', rules: ['no-restricted-globals'] },
  'operator/core/environment.ts': {
    text: 'export const home = process.env;',
    rules: ['no-restricted-globals'],
  },
  'worker/promise.ts': {
    text: 'const work = async (): Promise<void> => {};\nexport function start(): void {\n  work();\n}',
    rules: ['no-floating-promises'],
  },
  'worker/switch.ts': {
    text: "export function a(b: 'x' | 'y'): void {\n  switch (b) {\n    case 'x':\n      return;\n  }\n}",
    rules: ['switch-exhaustiveness-check'],
  },
  'worker/parameters.ts': {
    text: 'export const a = (b: number, c: number, d: number, e: number) => b + c + d + e;',
    rules: ['max-params'],
  },
  'worker/default.ts': { text: 'const a = 1;\nexport default a;', rules: ['no-default-export'] },
  'worker/print.ts': { text: "console.log('a');", rules: ['no-console'] },
  'scripts/print.ts': { text: "console.log('a');", rules: [] },
  'worker/any.ts': { text: 'export const a = (b: any) => b;', rules: ['no-explicit-any'] },
  'worker/cycle-a.ts': { text: "import { b } from './cycle-b.ts';\nexport const a = () => b;", rules: ['no-cycle'] },
  'worker/cycle-b.ts': { text: "import { a } from './cycle-a.ts';\nexport const b = () => a;", rules: ['no-cycle'] },
  'operator/types-a.ts': {
    text: "import type { B } from './types-b.ts';\nexport type A = Readonly<{ b: B }>;",
    rules: ['no-cycle'],
  },
  'operator/types-b.ts': {
    text: "import type { A } from './types-a.ts';\nexport type B = Readonly<{ a?: A }>;",
    rules: ['no-cycle'],
  },
};

const root = join(import.meta.dirname, '..');

describe('the configuration of the linter', () => {
  let folder = '';
  const fired = new Map<string, string[]>();

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lint-rules-'));
    for (const file of ['.oxlintrc.json', 'tsconfig.json', 'package.json']) {
      copyFileSync(join(root, file), join(folder, file));
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const [path, { text }] of Object.entries(PLANTED)) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      writeFileSync(join(folder, path), `${text}\n`);
    }
    const oxlint = join(root, 'node_modules', '.bin', 'oxlint');
    const { stdout } = spawnSync(oxlint, ['--type-aware', '-f', 'unix'], { cwd: folder, encoding: 'utf8' });
    for (const match of stdout.matchAll(/^(?<path>[^:\n]+):.*\/[\w-]*\(?(?<rule>[\w-]+)\)\]$/gm)) {
      const { path = '', rule = '' } = match.groups ?? {};
      fired.set(path, [...(fired.get(path) ?? []), rule]);
    }
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(Object.entries(PLANTED).map(([path, { rules }]) => ({ path, rules })))(
    'fires $rules in $path',
    ({ path, rules }) => {
      expect(fired.get(path) ?? []).toEqual(rules);
    },
  );
});
