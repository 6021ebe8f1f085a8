import { defineConfig } from 'vitest/config';

type Options = Readonly<{ include: string[]; exclude?: string[]; timeoutMs: number; serial?: boolean }>;

const suite = (name: string, { include, exclude = [], timeoutMs, serial = false }: Options) => ({
  test: {
    name,
    include,
    exclude: ['**/node_modules/**', 'dist/**', ...exclude],
    testTimeout: timeoutMs,
    hookTimeout: Math.max(timeoutMs, 60_000),
    fileParallelism: !serial,
    ...(serial ? { maxWorkers: 1 } : {}),
  },
});

/** A suite of its own for each folder; every other test is a unit test, so that none is in no suite. */
const inFolder = (name: string, timeoutMs: number) =>
  suite(name, { include: [`test/${name}/**/*.test.ts`], timeoutMs, serial: true });

export default defineConfig({
  test: {
    projects: [
      suite('unit', {
        include: ['**/*.test.ts'],
        exclude: ['test/{contract,integration,load,e2e,long}/**'],
        timeoutMs: 15_000,
      }),
      inFolder('contract', 120_000),
      inFolder('integration', 60_000),
      inFolder('load', 240_000),
      inFolder('e2e', 400_000),
      inFolder('long', 3_600_000),
    ],
  },
});
