// `npm run release:dry`: everything that a release consists of, in dist/release/, and nothing leaves this machine.
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { acquire } from '../../test/cluster/binaries/acquire.ts';
import { run } from '../../test/cluster/exec.ts';
import { onStderr } from '../../test/cluster/progress.ts';
import { buildImages } from '../../test/engine/build.ts';
import { startEngine } from '../../test/engine/engine.ts';
import { helm } from '../../test/tools/catalog.ts';
import { writeImageFiles } from '../image-files.ts';
import { notesOf } from './changelog.ts';
import { readmeOfArchive } from './readme.ts';

const project = resolve(import.meta.dirname, '..', '..');
const LOCAL_REGISTRY = 'registry.local/agent-worker-pool';
const CHARTS = ['agent-worker-pool-crds', 'agent-worker-pool'] as const;
const TARGETS = ['operator', 'worker'] as const;

type Release = Readonly<{ version: string; folder: string; registry: string }>;

/** Both charts as archives, which name the images in the registry that they are released to. */
async function packCharts({ version, folder, registry }: Release): Promise<void> {
  const program = (await acquire(helm, onStderr())).get('helm') ?? 'helm';
  const work = await mkdtemp(join(tmpdir(), 'awp-release-'));
  try {
    for (const chart of CHARTS) {
      const copy = join(work, chart);
      await cp(join(project, 'charts', chart), copy, { recursive: true });
      const values = join(copy, 'values.yaml');
      await writeFile(values, (await readFile(values, 'utf8')).replaceAll(LOCAL_REGISTRY, registry));
      const readme = join(copy, 'README.md');
      await writeFile(readme, readmeOfArchive(await readFile(readme, 'utf8'), version));
      await run(program, ['lint', '--strict', '--kube-version', '1.29.0', copy]);
      await run(program, ['package', copy, '--destination', folder]);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Both images as archives for `docker load`, which then may be pushed, built here on bases that are made here. */
async function packImages({ version, folder, registry }: Release): Promise<void> {
  const engine = await startEngine();
  try {
    const built = await buildImages(engine);
    for (const target of TARGETS) {
      const image = `${registry}/${target}:${version}`;
      await engine.docker(['tag', built[target], image]);
      await engine.docker(['save', '--output', join(folder, `${target}-${version}.tar`), image]);
    }
  } finally {
    await engine.stop();
  }
}

/** The definition, and for each image the list of the parts that are in it. */
async function addDocuments({ version, folder }: Release): Promise<void> {
  const crd = 'agentpool.dev_agentworkerpools.yaml';
  await cp(join(project, 'crds', crd), join(folder, crd));
  await writeFile(
    join(folder, 'NOTES.md'),
    `${notesOf(await readFile(join(project, 'CHANGELOG.md'), 'utf8'), version)}\n`,
  );
  for (const target of TARGETS) {
    const work = await mkdtemp(join(tmpdir(), 'awp-release-'));
    await writeImageFiles(target, work);
    await cp(join(work, 'sbom.cdx.json'), join(folder, `${target}-${version}.cdx.json`));
    await rm(work, { recursive: true, force: true });
  }
}

/** `sha256sum --check` reads it. */
async function addChecksums(folder: string): Promise<void> {
  const names = (await readdir(folder)).toSorted();
  const lines = await Promise.all(
    names.map(
      async (name) =>
        `${createHash('sha256')
          .update(await readFile(join(folder, name)))
          .digest('hex')}  ${name}\n`,
    ),
  );
  await writeFile(join(folder, 'SHA256SUMS'), lines.join(''));
}

const { values } = parseArgs({
  options: {
    registry: { type: 'string', default: LOCAL_REGISTRY },
    'no-images': { type: 'boolean', default: false },
    folder: { type: 'string', default: join(project, 'dist', 'release') },
  },
});
const { version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as { version: string };
const release = { version, folder: resolve(values.folder), registry: values.registry };
await rm(release.folder, { recursive: true, force: true });
await mkdir(release.folder, { recursive: true });
await addDocuments(release);
await packCharts(release);
if (!values['no-images']) await packImages(release);
await addChecksums(release.folder);
for (const name of await readdir(release.folder)) console.log(join(release.folder, name));
