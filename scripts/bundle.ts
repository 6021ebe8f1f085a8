import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import type { BuildOptions, Metafile, Plugin } from 'esbuild';

export type BundleTarget = 'operator' | 'worker' | 'awp';

export type Bundle = Readonly<{
  /** Absolute paths of what must lie side by side to run, the program's own file first. Maps lie beside as FILE.map. */
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

/** A person's own Node runs `awp`: an older one gets a sentence, not the line of the bundle on which it failed. */
const oldNode =
  `if (parseInt(process.versions.node) < 24) {` +
  ` console.error('awp needs Node 24 or newer; this is ' + process.version); process.exit(1); }`;

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
  metafile: true,
  logLevel: 'silent', // what it has to say is in what it throws
};

const CLIENT_NODE = '@kubernetes/client-node';

/** Memory of the operator is mostly code that it loads: it gets only that part of two large packages that it uses. */
const lean: Plugin = {
  name: 'lean',
  setup: (build) => {
    build.onResolve({ filter: /^undici$/ }, () => ({ path: join(project, 'scripts/undici-connections.cjs') }));
    // It does not say of itself that its modules do nothing but export: without that, all of them are bundled.
    build.onResolve(
      { filter: /^\.|^@kubernetes\/client-node$/ },
      async ({ path, importer, kind, resolveDir, pluginData }) => {
        if (pluginData === lean.name || !`${importer} ${path}`.includes(CLIENT_NODE)) return undefined;
        const found = await build.resolve(path, { importer, kind, resolveDir, pluginData: lean.name });
        return { path: found.path, sideEffects: false };
      },
    );
  },
};

/** Entries of worker threads: files of their own, beside the bundle that starts them. */
const threads: Readonly<Record<BundleTarget, Readonly<Record<string, string>>>> = {
  operator: { 'lease-thread': join(project, 'operator/kube/lease-thread.ts') },
  worker: {},
  awp: {},
};

const folders: Readonly<Record<BundleTarget, string>> = { operator: 'operator', worker: 'worker', awp: 'cli' };

/**
 * Bundles the target's main.ts with all of its dependencies into TARGET.mjs in `outdir` (default dist/), and the entries of
 * its threads likewise. Node runs these alone. Throws what esbuild says. `plugins` are for tests that need another program.
 */
export const bundle = async (
  target: BundleTarget,
  outdir = join(project, 'dist'),
  plugins: readonly Plugin[] = [],
): Promise<Bundle> => {
  const entryPoints = { [target]: join(project, folders[target], 'main.ts'), ...threads[target] };
  const head = { js: target === 'awp' ? `${oldNode}\n${banner}` : banner };
  const { metafile } = await build({ ...settings, banner: head, entryPoints, outdir, plugins: [lean, ...plugins] });
  return { files: Object.keys(entryPoints).map((name) => join(outdir, `${name}.mjs`)), metafile };
};

if (import.meta.main) {
  for (const target of ['operator', 'worker', 'awp'] as const) {
    const { files } = await bundle(target);
    for (const file of files) console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB`);
  }
}
