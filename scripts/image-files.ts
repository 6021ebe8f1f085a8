/**
 * `node scripts/image-files.ts TARGET FOLDER`: everything of ours that an image consists of. The bundle, `sbom.cdx.json`
 * (CycloneDX 1.6: the packages that are really in the bundle) and their licences. The same source gives the same bytes.
 */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { bundle, type BundleTarget } from './bundle.ts';

type Manifest = Readonly<{ name: string; version: string; license?: unknown }>;
type Part = Manifest & Readonly<{ folder: string }>;

const project = resolve(import.meta.dirname, '..');
const PACKAGE = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;

const manifestIn = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(project, folder, 'package.json'), 'utf8')) as Manifest;

/** The packages that files of a bundle come from, in order of name and version. */
async function partsOf(inputs: readonly string[]): Promise<readonly Part[]> {
  const folders = [...new Set(inputs.flatMap((file) => PACKAGE.exec(file)?.[0] ?? []))];
  const parts = await Promise.all(folders.map(async (folder) => ({ ...(await manifestIn(folder)), folder })));
  const named = parts.map((part) => [`${part.name}@${part.version}`, part] as const);
  return [...new Map(named.toSorted(([one], [other]) => (one < other ? -1 : 1))).values()];
}

const licenceOf = ({ license }: Manifest): string => (typeof license === 'string' ? license : 'NOASSERTION');

/** The list of parts in the words of the CycloneDX specification; no date and no serial number, which would differ. */
const bom = (target: BundleTarget, { version }: Manifest, parts: readonly Part[]): object => ({
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  version: 1,
  metadata: { component: { type: 'application', name: `agent-worker-pool-${target}`, version } },
  components: parts.map((part) => ({
    type: 'library',
    name: part.name,
    version: part.version,
    purl: `pkg:npm/${part.name.replace('@', '%40')}@${part.version}`,
    licenses: [{ expression: licenceOf(part) }],
  })),
});

async function licencesOf(parts: readonly Part[]): Promise<string> {
  const texts = await Promise.all(
    parts.map(async (part) => {
      const names = (await readdir(join(project, part.folder))).filter((name) => /^(?:licen[cs]e|notice)/i.test(name));
      const found = await Promise.all(
        names.toSorted().map((name) => readFile(join(project, part.folder, name), 'utf8')),
      );
      return [`${part.name} ${part.version}: ${licenceOf(part)}`, ...found.map((text) => text.trim())].join('\n\n');
    }),
  );
  return `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

/** Fills `folder`, which is made. */
export async function writeImageFiles(target: BundleTarget, folder: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'awp-image-'));
  try {
    const { files, metafile } = await bundle(target, work);
    const parts = await partsOf(Object.keys(metafile.inputs));
    await mkdir(folder, { recursive: true });
    for (const file of files) await copyFile(file, join(folder, basename(file)));
    const own = await manifestIn('');
    await writeFile(join(folder, 'sbom.cdx.json'), `${JSON.stringify(bom(target, own, parts), undefined, 2)}\n`);
    await writeFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), await licencesOf(parts));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const [target, folder] = process.argv.slice(2);
  if ((target !== 'operator' && target !== 'worker') || folder === undefined) {
    console.error('usage: node scripts/image-files.ts operator|worker FOLDER');
    process.exitCode = 1;
  } else await writeImageFiles(target, resolve(folder));
}
