import { defineConfig } from 'vitest/config';

const unitFiles = ['operator', 'worker', 'cli', 'scripts', 'test/cluster', 'test/fixtures', 'test/runner', 'bench'].map(
  (folder) => `${folder}/**/*.test.ts`,
);

const suite = (name: string, options: { include: string[]; timeoutMs: number; serial?: boolean }) => ({
  test: {
    name,
    include: options.include,
    testTimeout: options.timeoutMs,
    hookTimeout: Math.max(options.timeoutMs, 60_000),
    fileParallelism: !options.serial,
    ...(options.serial ? { maxWorkers: 1 } : {}),
  },
});

export default defineConfig({
  test: {
    projects: [
      suite('unit', { include: unitFiles, timeoutMs: 15_000 }),
      suite('contract', { include: ['test/contract/**/*.test.ts'], timeoutMs: 120_000, serial: true }),
      suite('integration', { include: ['test/integration/**/*.test.ts'], timeoutMs: 60_000, serial: true }),
      suite('e2e', { include: ['test/e2e/**/*.test.ts'], timeoutMs: 240_000, serial: true }),
      suite('long', { include: ['test/long/**/*.test.ts'], timeoutMs: 3_600_000, serial: true }),
    ],
  },
});
