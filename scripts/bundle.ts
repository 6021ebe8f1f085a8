import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import type { BuildOptions, Metafile } from 'esbuild';

export type BundleTarget = 'operator' | 'worker';

export type Bundle = Readonly<{
  /** Absolute path. The source map lies beside it as FILE.map. */
  file: string;
  /** All files that must lie side by side to run: `file` and the entries of its worker threads. */
  files: readonly string[];
  metafile: Metafile;
}>;

const project = resolve(import.meta.dirname, '..');

/** CommonJS packages in an ES module look for these. */
const banner = [
  `import { createRequire as __createRequire } from 'node:module';`,
  `const require = __createRequire(import.meta.url);`,
  `const __filename = import.meta.filename;`,
  `const __dirname = import.meta.dirname;`,
].join('\n');

const settings: BuildOptions & { metafile: true } = {
  absWorkingDir: project,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  minifyWhitespace: true, // names stay, for stack traces
  sourcemap: 'linked',
  legalComments: 'none',
  banner: { js: banner },
  metafile: true,
  logLevel: 'silent', // what it has to say is in what it throws
};

/** Entries of worker threads: files of their own, beside the bundle that starts them. */
const threads: Readonly<Record<BundleTarget, Readonly<Record<string, string>>>> = {
  operator: { 'lease-thread': join(project, 'operator/kube/lease-thread.ts') },
  worker: {},
};

export type BundleOptions = Readonly<{ entry?: string; outdir?: string }>;

/** Bundles TARGET/main.ts with all of its dependencies into dist/TARGET.mjs, which Node runs alone. Throws what esbuild says. */
export const bundle = async (target: BundleTarget, options: BundleOptions = {}): Promise<Bundle> => {
  const entry = options.entry ?? join(project, target, 'main.ts');
  const outdir = options.outdir ?? join(project, 'dist');
  const entryPoints = { [target]: entry, ...(options.entry === undefined ? threads[target] : {}) };
  const { metafile } = await build({ ...settings, entryPoints, outdir });
  const files = Object.keys(entryPoints).map((name) => join(outdir, `${name}.mjs`));
  return { file: join(outdir, `${target}.mjs`), files, metafile };
};

if (import.meta.main) {
  for (const target of ['operator', 'worker'] as const) {
    const { file } = await bundle(target);
    console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB`);
  }
}
